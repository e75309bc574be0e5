"""Several jobs at once: lines, JSON, a table on a terminal; and when watching ends."""

import asyncio
import io
import json
import re
import signal
from typing import Any

import httpx2
import pytest
from rich.console import Console
from typer.testing import Result

from cli import watch
from cli.answers import Job
from cli.board import Board
from cli.client import Client
from cli.reading import Told
from cli.service import Service
from tests.unit.cli.answers import answer, ended, hold, job
from tests.unit.cli.conftest import Type

SERVICE = Service("http://mill.test", "im_id_secret")
ONE, TWO = "job_1", "job_2"
HELD = {"state": "held", "hold": hold("budget", smallest_usd="0.02")}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = watch.follow

    async def follow(client: Client, key: str, view: Any, **more: Any) -> Job:
        return await whole(client, key, view, lambda _: asyncio.sleep(0), **more)

    monkeypatch.setattr(watch, "follow", follow)


@pytest.fixture
def watched(typed: Type, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Types `watch` against jobs that have one status after the other."""

    def run(statuses: dict[str, list[dict[str, Any]]], *words: str) -> tuple[Result, list[str]]:
        asked: list[str] = []
        left = {key: list(steps) for key, steps in statuses.items()}

        def serve(request: httpx2.Request) -> httpx2.Response:
            path = request.url.path
            asked.append(str(request.url.params.get("state") or path))
            if path == "/v1/jobs":
                state = request.url.params["state"]
                found = [{"id": key} for key, steps in left.items() if steps[0]["state"] == state]
                return answer({"data": found, "has_more": False, "last": None})
            steps = left.get(path.rsplit("/")[-1])
            if steps is None:
                return answer({"title": "There is no such thing"}, 404)
            return answer(steps.pop(0) if len(steps) > 1 else steps[0])

        original = Client.__init__

        def connect(self: Client, service: Service, transport: object = None) -> None:
            original(self, service, httpx2.MockTransport(serve))

        monkeypatch.setattr(Client, "__init__", connect)
        result, _ = typed("watch", *words, answers=[answer({})])
        return result, asked

    return run


def test_lines_say_whose_they_are(watched: Any) -> None:
    steps = {ONE: [job(id=ONE), ended(id=ONE)], TWO: [ended(id=TWO, state="completed_with_errors")]}
    result, _ = watched(steps, ONE, TWO, ONE)
    assert result.exit_code == 3
    lines = sorted(
        line.split("  ")[0] + " " + line.split("  ")[1].strip() for line in result.stdout.splitlines()
    )
    assert lines == [f"{ONE} completed", f"{ONE} running", f"{TWO} completed_with_errors"]
    assert (
        result.stderr == f"The job has ended as completed_with_errors; `imagemill status {TWO}` says more.\n"
    )


def test_a_line_of_json_for_each_change(watched: Any) -> None:
    steps = {ONE: [job(id=ONE), job(id=ONE), ended(id=ONE)], TWO: [job(id=TWO, **HELD), ended(id=TWO)]}
    result, _ = watched(steps, ONE, TWO, "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["state"] for each in told if each["id"] == ONE] == ["running", "completed"]
    assert [each for each in told if each["id"] == TWO] == steps[TWO]
    assert "Raise the cap" in result.stderr


def test_all_that_have_not_ended(watched: Any) -> None:
    steps = {
        TWO: [job(id=TWO, state="queued"), ended(id=TWO)],
        ONE: [job(id=ONE), ended(id=ONE)],
        "job_3": [ended(id="job_3")],
    }
    result, asked = watched(steps, "--all")
    assert result.exit_code == 0
    assert asked[:7] == ["queued", "validating", "running", "held", "pausing", "paused", "cancelling"]
    assert "/v1/jobs/job_3" not in asked
    assert {line.split()[0] for line in result.stdout.splitlines()} == {ONE, TWO}


def test_nothing_is_under_way(watched: Any) -> None:
    result, _ = watched({}, "--all")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No job is under way.\n")


def test_until_one_is_held(watched: Any) -> None:
    steps = {ONE: [job(id=ONE)], TWO: [job(id=TWO), job(id=TWO, **HELD)]}
    result, _ = watched(steps, ONE, TWO, "--until-held")
    assert result.exit_code == 4
    assert f"{TWO} is held." in result.stderr


def test_a_job_that_is_not_there_ends_it_for_all(watched: Any) -> None:
    result, _ = watched({ONE: [job(id=ONE)]}, ONE, TWO)
    assert (result.exit_code, result.stderr) == (1, "Error: There is no such thing\n")


def test_too_many(typed: Type) -> None:
    result, requests = typed("watch", *(f"job_{n}" for n in range(201)), answers=[answer({})])
    assert (result.exit_code, requests) == (1, [])
    assert "201 jobs can't be watched at once, but 200" in result.stderr


async def test_ctrl_c_says_once_that_the_jobs_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = asyncio.Event()

    def serve(request: httpx2.Request) -> httpx2.Response:
        looked.set()
        return answer(job(id=request.url.path.rsplit("/")[-1]))

    async with Client(SERVICE, httpx2.MockTransport(serve)) as client:
        watching = asyncio.create_task(watch.attend(client, [ONE, TWO], json=False))
        await looked.wait()
        watching.cancel(str(signal.SIGINT))
        with pytest.raises(asyncio.CancelledError):
            await watching
    said = capsys.readouterr().err
    assert said == "No longer watching; the jobs go on. `imagemill cancel JOB` would end one.\n"


def shown(width: int, name: str = "[red]spring[/red]\x1b[2J") -> str:
    """A table of four jobs at a width."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)
    board = Board(console, [ONE, TWO, "job_3", "job_4"])
    for each in (
        job(id=ONE, name=name),
        job(id=TWO, **HELD),
        ended(id="job_3"),
    ):
        board.row(each["id"]).show(Told(each, Job.model_validate(each)))
    with console.capture() as text:
        console.print(board.table())
    return re.sub(r"\x1b\[[0-9;]*m", "", text.get())


@pytest.mark.parametrize("width", [40, 70, 120])
def test_a_table_fits_its_terminal(width: int) -> None:
    lines = shown(width).splitlines()
    assert len(lines) == 5
    assert all(len(line) <= width for line in lines)
    assert lines[4].split()[:2] == ["job_4", "…"]
    assert "budget" in lines[2]
    assert "took 8 s" in lines[3]


def test_names_neither_colour_nor_steer_the_table() -> None:
    text = shown(120)
    assert "[red]spring[/red]\N{REPLACEMENT CHARACTER}[2J" in text
    assert "\x1b" not in text
    assert re.search(r"1/4 +\$0\.0131 of \$2\.00 +30/min +6 s", text)


@pytest.mark.parametrize("name", ["\\[/]x", "\\[red]x", "a\\", ":smile:"])
def test_a_name_is_shown_as_it_is(name: str) -> None:
    assert name in shown(120, name)
