"""Side by side: what is made of turns, and that the same things are compared."""

import io
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.peers import environment
from benchmarks.peers.turns import take_turns
from benchmarks.results import Row, Skipped
from benchmarks.throughput import CELERY, MILL, SCRIPT, TUNED, Turn, figures

ROOT = Path(environment.__file__).parents[2]


def turn(rate: float, part: str, cpu: float) -> Turn:
    return Turn(rate=rate, cpu={part: cpu, "store": 20.0}, peaks={part: 90, "store": 400})


def by_name(rows: list[Row]) -> dict[tuple[str, str], Row]:
    return {(row.figure, row.case): row for row in rows}


def test_ratios_are_of_the_same_round_and_of_the_process_that_works() -> None:
    turns = {
        MILL: [turn(44, "worker", 10), turn(30, "worker", 12)],
        SCRIPT: [turn(40, "script", 20), turn(20, "script", 20)],
        CELERY: [turn(40, "worker", 20), turn(30, "worker", 24)],
        TUNED: [turn(55, "script", 8), turn(60, "script", 8)],
    }
    rows = by_name(figures(turns))
    rate = rows["images a second, ratio", "Imagemill over plain script"]
    assert (rate.least, rate.most, rate.count, rate.target) == (1.1, 1.5, 2, "≥ 1.1")
    cpu = rows["CPU an image, ratio", "Imagemill over plain script"]
    assert (cpu.least, cpu.most, cpu.target) == (0.5, 0.6, "≤ 0.65")
    assert rows["images a second, ratio", "Imagemill over tuned script"].target == ""
    assert rows["CPU an image", "Imagemill: worker"].median == 11
    assert rows["peak memory", "plain script: script"].unit == "MiB"


def test_what_was_not_measured_is_not_compared() -> None:
    rows = by_name(figures({MILL: [turn(44, "worker", 10)], SCRIPT: [turn(40, "script", 20)]}))
    assert {case for figure, case in rows if figure.endswith("ratio")} == {"Imagemill over plain script"}


def test_peers_get_the_clients_of_the_same_versions_as_the_service() -> None:
    ours, theirs = (pinned(ROOT / "requirements.lock"), pinned(environment.LOCK))
    shared = ours.keys() & theirs.keys()
    assert {"openai", "httpx2", "httpcore2", "boto3", "botocore", "urllib3", "pydantic"} <= shared
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}


def pinned(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


def test_without_redis_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Skipped, match="apt install redis-server"):
        environment.redis_server()


async def test_a_peer_works_for_each_line_that_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[tuple[str, int]] = []

    async def make_all(folder: str, images: int) -> None:
        made.append((folder, images))

    monkeypatch.setattr("sys.stdin", io.StringIO("warm-up 2\nscript 40\n"))
    await take_turns(make_all)
    assert made == [("warm-up", 2), ("script", 40)]
    assert capsys.readouterr().out == "done\ndone\n"
