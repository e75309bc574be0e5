import io
import itertools
import re
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from rich.console import Console

from cli.answers import Job
from cli.client import Client
from cli.errors import Refused, ServiceAway
from cli.money import dollars
from cli.progress import Bar, Lines
from cli.service import Service
from cli.show import duration, status_rows
from cli.watch import follow, verdict
from tests.unit.cli.answers import ESTIMATE, JOB, Script, answer, cost, ended, hold, items, job

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
    held = hold("rate_limited", detail="wait\x1b[2J")
    shown = job(
        name="\x1b[31m",
        hold=held,
        warnings=["\x1b[1m"],
        invalid_rows=rows,
        failure={"code": "a", "detail": "b"},
    )
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
    assert verdict(Job.model_validate(ended(state="completed_with_errors"))) == 3
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


HELD = {"state": "held", "images_per_minute": None, "seconds_left": None}


def rows(**changes: Any) -> list[tuple[str, str]]:
    return list(status_rows(Job.model_validate(job(**changes))))


def below(name: str, listed: list[tuple[str, str]]) -> list[str]:
    """The lines under one name."""
    start = [each for each, _ in listed].index(name)
    more = itertools.takewhile(lambda row: not row[0], listed[start + 1 :])
    return [value for _, value in (listed[start], *more)]


def test_a_job_without_money_says_the_cap_that_would_do() -> None:
    needs = hold("budget", smallest_usd="0.0123", likely_usd="1.391")
    assert below("Held", rows(**HELD, hold=needs)) == [
        "It is budget.",
        "Raise the cap by at least $0.02; $1.40 would likely buy all:",
        f"imagemill budget {JOB} --limit-usd 3.40",
    ]


def test_the_last_item_needs_one_amount() -> None:
    needs = hold("budget", smallest_usd="0.02", likely_usd="0.02")
    [_, amount, command] = below("Held", rows(**HELD, hold=needs))
    assert amount == "Raise the cap by at least $0.02, which would likely buy all:"
    assert command.endswith("--limit-usd 2.02")


def test_a_tenant_without_money_waits_for_its_window() -> None:
    needs = hold("tenant_budget", smallest_usd="0.02", likely_usd="1.40", until="2026-11-21T01:00:00+01:00")
    lines = below("Held", rows(**HELD, hold=needs))
    assert "ends at 2026-11-21 00:00 UTC; the job goes on by itself" in lines[1]
    assert lines[2].endswith("at least $0.02; $1.40 would likely buy all: imagemill caps")


@pytest.mark.parametrize(
    ("held", "line"),
    [
        (hold("unknown_outcomes"), f"To buy on: imagemill resume {JOB}"),
        (
            hold("insufficient_quota", next_probe="2026-11-20T10:00:17Z"),
            f"An item is tried at 10:00:17 UTC. To try now: imagemill resume {JOB}",
        ),
    ],
)
def test_other_holds_are_resumed(held: dict[str, Any], line: str) -> None:
    assert below("Held", rows(**HELD, hold=held)) == [f"It is {held['code']}.", line]


async def test_a_held_job_is_watched_on_and_says_so_once() -> None:
    short = hold("budget", smallest_usd="0.02", likely_usd="1.40")
    shorter = short | {"smallest_usd": "0.01"}
    later = short | {"since": "2026-11-20T10:05:00Z"}
    steps = [job(**HELD, hold=each) for each in (short, short, short, shorter)]
    steps += [job(), job(**HELD, hold=later), job(**HELD, hold=later), ended()]
    watching = Watching(*map(answer, steps))
    assert (await watching.run()).state == "completed"
    told = [line for line in watching.lines if "Raise the cap" in line]
    assert [line.split(";")[0].rsplit(" ")[-1] for line in told] == ["$0.02", "$0.01", "$0.02"]


async def test_what_a_tenant_lacks_is_not_said_at_every_poll() -> None:
    amounts = ("0.02", "0.03", "0.04")
    steps = [job(**HELD, hold=hold("tenant_budget", smallest_usd=each)) for each in amounts]
    watching = Watching(*map(answer, steps), answer(ended()))
    await watching.run()
    assert sum("operator" in line for line in watching.lines) == 1


def test_the_estimate_is_shown_while_nothing_is_bought() -> None:
    unsure = ESTIMATE | {"uncertain": ["it may be more"]}
    assert below("Estimate", rows(cost=cost(), estimate=unsure)) == [
        "likely $0.0524, at most $0.16",
        "it may be more",
    ]
    assert "Estimate" not in dict(rows(estimate=unsure))
    assert "Estimate" not in dict(rows(cost=cost(), estimate=None))


def test_uncertain_items_and_warnings() -> None:
    listed = rows(uncertain=2, cost=cost(written_off_usd="0.04"), warnings=["one", "two"])
    assert dict(listed)["Uncertain"] == "2 items with a call whose bill can't be known: $0.04 written off"
    assert below("Warnings", listed) == ["one", "two"]
    assert {"Uncertain", "Warnings", "Held"}.isdisjoint(dict(rows()))


def test_amounts_below_nothing() -> None:
    assert [dollars(Decimal(text)) for text in ("-5.001", "-0.0012")] == ["-$5.00", "-$0.0012"]


def test_items_that_were_bought_before() -> None:
    assert dict(rows(items=items(total=4, succeeded=4) | {"reused": 3}))["Reused"].startswith("3 of them")
    assert "Reused" not in dict(rows())
