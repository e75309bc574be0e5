import io
import re

import httpx2
import pytest
from rich.console import Console

from cli.answers import Job
from cli.client import Client
from cli.errors import Refused, ServiceAway
from cli.progress import Bar, Lines
from cli.service import Service
from cli.show import dollars, duration, status_rows
from cli.watch import follow, verdict
from tests.unit.cli.answers import JOB, Script, answer, ended, items, job

SERVICE = Service("http://mill.test", "im_id_secret")


class Watching:
    """Follows a scripted job."""

    def __init__(self, *steps: httpx2.Response | Exception) -> None:
        self.script = Script(*steps)
        self.text = io.StringIO()
        self.pauses: list[float] = []

    async def run(self, *, terminal: bool = False) -> Job:
        console = Console(file=self.text, force_terminal=terminal, width=100, highlight=False)
        view = Bar(console) if terminal else Lines(console)
        async with Client(SERVICE, self.script.transport) as client:
            return await follow(client, JOB, view, self.pause)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @property
    def lines(self) -> list[str]:
        return self.text.getvalue().splitlines()


async def test_a_line_for_each_change() -> None:
    watching = Watching(answer(job()), answer(job()), answer(ended()))
    assert (await watching.run()).state == "completed"
    assert watching.lines == [
        "running     1/4 items  1 image  $0.0131 of $2.00  30/min  6 s left",
        "completed   4/4 items  4 images  $0.0131 of $2.00  30/min",
    ]


async def test_retry_after_counts_within_bounds() -> None:
    steps = [answer(job(), Retry_After=value) for value in ("0", "1", "30")]
    watching = Watching(*steps, answer(ended()))
    await watching.run()
    assert watching.pauses == [0.2, 1.0, 2.0]


async def test_a_service_that_goes_and_comes_back() -> None:
    away = answer({"title": "Away", "detail": ""}, 503, Retry_After="2")
    gone = httpx2.ConnectError("refused")
    watching = Watching(answer(job()), gone, gone, away, answer(job()), answer(ended()))
    await watching.run()
    said = [line for line in watching.lines if "service" in line]
    assert said == ["The service does not answer. Waiting for it; the job goes on.", "The service is back."]


async def test_a_service_that_was_never_there() -> None:
    with pytest.raises(ServiceAway, match="Nothing answers"):
        await Watching(httpx2.ConnectError("refused")).run()


async def test_a_job_that_is_lost() -> None:
    with pytest.raises(Refused, match="forgotten"):
        await Watching(answer(job()), answer({"title": "It is forgotten"}, 410)).run()


async def test_a_bar_on_a_terminal() -> None:
    watching = Watching(answer(job()), httpx2.ConnectError("refused"), answer(ended()))
    await watching.run(terminal=True)
    shown = re.sub(r"\x1b\[[0-9;?]*\w", "", watching.text.getvalue())
    assert "The service is back." in shown
    assert re.search(r"completed ━+ 4/4 · 4 images · 30/min · \$0\.0131 of \$2\.00 · 8 s", shown)


def test_hostile_text_does_not_reach_the_terminal() -> None:
    rows = {"count": 30, "first": [{"line": n, "custom_id": "", "detail": "\x1b]0;a\x07"} for n in range(30)]}
    hold = {"code": "rate_limited", "detail": "wait\x1b[2J"}
    shown = job(name="\x1b[31m", hold=hold, invalid_rows=rows, failure={"code": "a", "detail": "b"})
    listed = list(status_rows(Job.model_validate(shown)))
    assert not any("\x1b" in value for _, value in listed)
    assert sum(name == "" for name, _ in listed) == 11
    assert ("Failure", "b [a]") in listed
    assert listed[-1] == ("", "… and 20 more")


def test_totals_that_are_not_known_yet() -> None:
    unknown = job(items=items() | {"total": None, "pending": None}, images_per_minute=None, seconds_left=None)
    listed = dict(status_rows(Job.model_validate(unknown)))
    assert (listed["Items"], listed["Pace"]) == ("not counted yet", "not known yet")


def test_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(Job.model_validate(ended())) == 0
    assert verdict(Job.model_validate(ended(state="completed_with_errors"))) == 1
    assert "completed_with_errors" in capsys.readouterr().err


def test_amounts_and_spans() -> None:
    cost = Job.model_validate(job()).cost
    assert [dollars(each) for each in (cost.spent, cost.limit_usd, cost.spent * 0)] == [
        "$0.0131",
        "$2.00",
        "$0.00",
    ]
    assert dollars(cost.limit_usd / 20) == "$0.10"
    assert dollars(cost.limit_usd * 1000) == "$2,000.00"
    assert [duration(seconds) for seconds in (0.4, 99, 100, 5400, 7300)] == [
        "under 1 s", "99 s", "2 min", "90 min", "2 h 2 min",
    ]  # fmt: skip
