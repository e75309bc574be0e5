"""Judges whether what was recorded while jobs came and went has stayed flat.

A process is judged by the second half of its life, by the Theil-Sen slope: the median of the slopes between
all pairs of points, which peaks and idle phases do not bend. A process that was restarted is another one.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from tests.chaos import orphans

Json = dict[str, Any]
Point = tuple[float, float]
Measure = str

MOST_POINTS = 200
"""Of a longer series, as many are compared in pairs."""
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Bound:
    """By how much something may have grown over the half of a life: so much, or that share of what it was."""

    more: float
    share: float = 0.0

    def allows(self, growth: float, level: float) -> bool:
        """May it have grown so, from there?"""
        return growth <= max(self.more, self.share * level)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is called flat.

    Attributes:
        warm_up: seconds after its start in which a process may grow as it likes.
        least: seconds after that without which a process is not judged.
        processes: by what is measured.
        events: that the history of a single run may have; workflows continue as new at 10,000.
        bytes: of such a history.
        others: parts whose memory is recorded and not judged, since they are not the service: the store and
            the engine keep what they are given, and the sandbox its ledger.
    """

    warm_up: float = 120.0
    least: float = 300.0
    processes: Mapping[Measure, Bound] = field(
        default_factory=lambda: {
            "rss_bytes": Bound(more=12 * MEGABYTE, share=0.08),
            "fds": Bound(more=6),
            "threads": Bound(more=4),
        }
    )
    events: int = 11_000
    bytes: int = 8 * MEGABYTE
    others: frozenset[str] = frozenset({"temporal", "store", "image-api"})


@dataclass(frozen=True, slots=True)
class Series:
    """One process, from its first look to its last."""

    part: str
    pid: int
    lines: Sequence[Json]

    def points(self, measure: Measure) -> list[Point]:
        """Seconds since the first look, and what was measured."""
        first = self.lines[0]["time"]
        return [(line["time"] - first, line[measure]) for line in self.lines if line[measure] is not None]


def series_of(lines: Iterable[Json]) -> list[Series]:
    """The processes that samples tell of."""
    found: dict[tuple[str, int], list[Json]] = defaultdict(list)
    for line in lines:
        found[line["part"], line["pid"]].append(line)
    return [Series(part, pid, each) for (part, pid), each in sorted(found.items())]


def slope(points: Sequence[Point]) -> float:
    """The median slope between pairs of points; 0 where there are not two."""
    step = len(points) // MOST_POINTS + 1
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points[::step], 2) if x2 > x1]
    return median(slopes) if slopes else 0.0


@dataclass(frozen=True, slots=True)
class Growth:
    """What became of one measure of one process in the second half of its life."""

    part: str
    pid: int
    measure: Measure
    seconds: float
    level: float
    growth: float
    highest: float
    flat: bool


def growth_of(series: Series, measure: Measure, bounds: Bounds) -> Growth | None:
    """None: it did not live long enough to be judged."""
    points = [point for point in series.points(measure) if point[0] >= bounds.warm_up]
    if not points or points[-1][0] - bounds.warm_up < bounds.least:
        return None
    half = [point for point in points if point[0] >= (points[0][0] + points[-1][0]) / 2]
    seconds, level = half[-1][0] - half[0][0], median(value for _, value in half)
    grown = slope(half) * seconds
    return Growth(
        series.part,
        series.pid,
        measure,
        seconds,
        level,
        grown,
        max(value for _, value in points),
        bounds.processes[measure].allows(grown, level),
    )


def judge_processes(lines: Iterable[Json], bounds: Bounds) -> tuple[list[Growth], int]:
    """What was judged, and how many processes lived too short a time for it."""
    several = series_of(lines)
    found = [growth_of(series, measure, bounds) for series in several for measure in bounds.processes]
    judged = [growth for growth in found if growth is not None]
    return judged, len(several) - len({(growth.part, growth.pid) for growth in judged})


def judge_histories(lines: Iterable[Json], bounds: Bounds) -> list[str]:
    """Runs whose history is longer than a run's may be, however many jobs there were."""
    return [
        f"{line['type']} {line['workflow']} has a history of {line['events']} events, {line['bytes']} bytes"
        for line in lines
        if line["events"] > bounds.events or line["bytes"] > bounds.bytes
    ]


def judge_orphans(found: Iterable[orphans.Orphan]) -> list[str]:
    """Objects that nothing names, of kinds that the documentation does not name."""
    return [
        f"{orphan.kind}: {orphan.key} in {orphan.bucket}"
        for orphan in found
        if orphan.kind not in orphans.NAMED
    ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the evidence of one run says about flatness."""

    objections: list[str]
    figures: Json


def judge(folder: Path, bounds: Bounds | None = None) -> Verdict:
    """Judge a run by the folder that it has left."""
    bounds = bounds or Bounds()
    growths, too_short = judge_processes(_lines(folder / "processes.jsonl"), bounds)
    judged = [growth for growth in growths if not _is_anothers(growth, bounds)]
    histories, found = _lines(folder / "histories.jsonl"), orphans.find(folder)
    objections = [
        *(_objection(growth) for growth in judged if not growth.flat),
        *judge_histories(histories, bounds),
        *judge_orphans(found),
    ]
    if not judged:
        objections.append("no process lived long enough to be judged")
    figures = {
        "processes": {"judged": len({(g.part, g.pid) for g in judged}), "too_short": too_short},
        "growths": [_figures(growth) for growth in growths],
        "histories": longest(histories),
        "orphans": orphans.counts(found),
    }
    return Verdict(objections, figures)


def longest(histories: Iterable[Json]) -> dict[str, Json]:
    """By the workflow's type: runs, and the most events and bytes of one."""
    kinds: dict[str, list[Json]] = defaultdict(list)
    for line in histories:
        kinds[line["type"]].append(line)
    return {
        kind: {
            "runs": len(lines),
            "events": max(line["events"] for line in lines),
            "bytes": max(line["bytes"] for line in lines),
        }
        for kind, lines in sorted(kinds.items())
    }


def _is_anothers(growth: Growth, bounds: Bounds) -> bool:
    return growth.part in bounds.others and growth.measure == "rss_bytes"


def _objection(growth: Growth) -> str:
    return (
        f"{growth.measure} of {growth.part} ({growth.pid}) grew by {growth.growth:,.0f} from about "
        f"{growth.level:,.0f} within {growth.seconds:.0f} seconds"
    )


def _figures(growth: Growth) -> Json:
    return {
        "part": growth.part,
        "pid": growth.pid,
        "measure": growth.measure,
        "seconds": round(growth.seconds),
        "level": round(growth.level),
        "growth": round(growth.growth),
        "highest": round(growth.highest),
        "flat": growth.flat,
    }


def _lines(path: Path) -> list[Json]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]
