"""What leaks is objected to, and what only breathes is not."""

import json
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from tests.chaos import flat
from tests.chaos.flat import MEGABYTE, Bound, Bounds
from tests.chaos.sampling import Line

HOUR = 3600
Shape = Callable[[float], float]
QUIET = {"rss_bytes": 150 * MEGABYTE, "fds": 40, "threads": 20}


def lived(
    seconds: int = HOUR,
    *,
    part: str = "worker-1",
    pid: int = 1,
    began: float = 1000.0,
    of: Mapping[str, Shape] | None = None,
) -> list[Line]:
    """A process that was looked at every five seconds, and what it took by its age."""
    measured = {name: always(usual) for name, usual in QUIET.items()} | dict(of or {})
    return [
        {"time": began + age, "part": part, "pid": pid}
        | {name: shape(age) for name, shape in measured.items()}
        for age in range(0, seconds, 5)
    ]


def always(usual: float) -> Shape:
    return lambda _: usual


def objections(lines: Iterable[Line], bounds: Bounds | None = None) -> list[str]:
    growths, _ = flat.judge_processes(lines, bounds or Bounds())
    return [growth.measure for growth in growths if not growth.flat]


def noisy(of: Shape, spread: float) -> Shape:
    chance = random.Random(1)
    return lambda age: of(age) + chance.uniform(-spread, spread)


def breathing(age: float) -> float:
    """Four minutes at work, of which each ends in one that is idle."""
    return (190 if age % 240 < 180 else 150) * MEGABYTE


@pytest.mark.parametrize(
    ("measure", "leaking"),
    [
        ("rss_bytes", lambda age: 150 * MEGABYTE + age * 10_000),
        ("rss_bytes", lambda age: breathing(age) + age * 12_000),
        ("rss_bytes", lambda age: (150 + 2 * (age // 120)) * MEGABYTE),
        ("fds", lambda age: 40 + age // 200),
        ("fds", lambda age: 60 + 30 * (age % 240 < 180) + age // 150),
        ("threads", lambda age: 20 + age // 300),
    ],
)
def test_a_leak_is_objected_to(measure: str, leaking: Shape) -> None:
    spread = 0.02 * leaking(0)

    assert objections(lived(of={measure: leaking})) == [measure]
    assert objections(lived(of={measure: noisy(leaking, spread)})) == [measure]


@pytest.mark.parametrize(
    ("measure", "flat_one"),
    [
        ("rss_bytes", lambda _: 150 * MEGABYTE),
        ("rss_bytes", lambda age: min(60 + age, 180) * MEGABYTE),
        ("rss_bytes", breathing),
        ("rss_bytes", lambda age: (900 if 2000 < age < 2100 else 150) * MEGABYTE),
        ("rss_bytes", lambda age: (400 - age / 20) * MEGABYTE),
        ("fds", lambda age: 60 + 30 * (age % 240 < 180)),
        ("threads", lambda age: min(32, age / 10)),
    ],
)
def test_what_is_flat_is_not_objected_to(measure: str, flat_one: Shape) -> None:
    assert objections(lived(of={measure: flat_one})) == []
    assert objections(lived(of={measure: noisy(flat_one, 0.02 * flat_one(0))})) == []


def warming(megabytes: float) -> Shape:
    return lambda age: (megabytes + min(age, 100) / 10) * MEGABYTE


def test_a_restarted_process_begins_anew() -> None:
    """Each life grows while it warms up; together they would look like a staircase."""
    lives = [
        line
        for number in range(4)
        for line in lived(
            900,
            pid=number,
            began=1000.0 + 900 * number,
            of={"rss_bytes": warming(100 + 40 * number)},
        )
    ]

    assert objections(lives) == []


def test_a_short_life_is_counted_and_not_judged() -> None:
    lines = lived(200, of={"rss_bytes": lambda age: age * MEGABYTE}) + lived(1800, pid=2)

    growths, too_short = flat.judge_processes(lines, Bounds())

    assert {growth.pid for growth in growths} == {2}
    assert too_short == 1


def test_what_could_not_be_looked_at_is_left_out() -> None:
    lines = lived(1800)
    for line in lines:
        line["fds"] = None

    growths, _ = flat.judge_processes(lines, Bounds())

    assert {growth.measure for growth in growths} == {"rss_bytes", "threads"}


def test_a_bound_is_a_share_of_what_is_large() -> None:
    bound = Bound(more=10, share=0.1)

    assert bound.allows(10, 50)
    assert not bound.allows(11, 50)
    assert bound.allows(19, 200)


def history(kind: str, events: int, size: int) -> Line:
    return {"type": kind, "workflow": "w", "run": "r", "status": "running", "events": events, "bytes": size}


def test_a_history_without_end_is_objected_to() -> None:
    ok, long, large = (
        history("imagemill.job", 9_000, 10**6),
        history("imagemill.account", 40_000, 10**6),
        history("imagemill.pool", 500, 40 * 10**6),
    )

    assert flat.judge_histories([ok, long, large], Bounds()) == [
        "imagemill.account w has a history of 40000 events, 1000000 bytes",
        "imagemill.pool w has a history of 500 events, 40000000 bytes",
    ]
    assert flat.longest([ok, ok, long])["imagemill.job"] == {"runs": 2, "events": 9_000, "bytes": 10**6}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The evidence of a run in which nothing was done."""
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "objects.jsonl").write_text("")
    write(tmp_path, "processes", lived(1800))
    write(tmp_path, "histories", [history("imagemill.account", 10, 10)])
    return tmp_path


def write(folder: Path, name: str, lines: Iterable[Line]) -> None:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_folder_is_judged_as_a_whole(folder: Path) -> None:
    verdict = flat.judge(folder)

    assert verdict.objections == []
    assert verdict.figures["processes"] == {"judged": 1, "too_short": 0}
    assert verdict.figures["orphans"] == {}
    assert {growth["measure"] for growth in verdict.figures["growths"]} == set(QUIET)


def test_memory_of_what_is_not_the_service_is_recorded_and_not_judged(folder: Path) -> None:
    def grows(age: float) -> float:
        return (100 + age) * MEGABYTE

    lines = [*lived(1800), *lived(1800, part="temporal", pid=9, of={"rss_bytes": grows})]
    write(folder, "processes", lines)

    verdict = flat.judge(folder)

    assert verdict.objections == []
    recorded = [growth for growth in verdict.figures["growths"] if growth["part"] == "temporal"]
    assert not recorded[0]["flat"]


def test_files_of_what_is_not_the_service_are_judged(folder: Path) -> None:
    write(folder, "processes", lived(1800, part="store", of={"fds": lambda age: 40 + age}))

    assert len(flat.judge(folder).objections) == 1


def test_nothing_to_judge_is_an_objection(folder: Path) -> None:
    write(folder, "processes", [])

    assert flat.judge(folder).objections == ["no process lived long enough to be judged"]
