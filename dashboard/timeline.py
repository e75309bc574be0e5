"""Items done over time, as areas upon each other: an inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.models import JobAnswer
from dashboard.samples import STATES, Sample

WIDTH, HEIGHT = 1000, 160


@dataclass(frozen=True, slots=True)
class Timeline:
    """A drawing, and what is to be said with it."""

    areas: list[tuple[str, str]]
    """The class and the points of each area, from the bottom up."""
    began: datetime
    until: datetime
    watched: datetime | None
    """Since when it was seen; before that it is a straight line. None: from its start on."""
    watched_x: float
    top: int


def timeline(job: JobAnswer, samples: Sequence[Sample]) -> Timeline | None:
    """What was seen of a job, from its start on; None: nothing has been done yet, or it was not watched."""
    began = job.started_at
    seen = [sample for sample in samples if began and sample.at >= began]
    if began is None or len(seen) < 2 or not seen[-1].done or seen[-1].at <= began:
        return None
    points = [Sample(began, (0,) * len(STATES)), *seen]
    until, top = seen[-1].at, job.items.total or seen[-1].done
    length = (until - began).total_seconds()
    xs = [WIDTH * (sample.at - began).total_seconds() / length for sample in points]
    gap = xs[1] > WIDTH * 0.05
    return Timeline(
        areas=[
            (state, _area(points, xs, place, top))
            for place, state in enumerate(STATES)
            if points[-1].counts[place]
        ],
        began=began,
        until=until,
        watched=seen[0].at if gap else None,
        watched_x=round(xs[1], 1),
        top=top,
    )


def _area(points: Sequence[Sample], xs: Sequence[float], place: int, top: int) -> str:
    """From the sum of the states below to the sum with this one."""
    lower = [_at(x, sum(point.counts[:place]), top) for x, point in zip(xs, points, strict=True)]
    upper = [_at(x, sum(point.counts[: place + 1]), top) for x, point in zip(xs, points, strict=True)]
    return " ".join([*upper, *reversed(lower)])


def _at(x: float, number: int, top: int) -> str:
    return f"{x:.1f},{HEIGHT * (1 - number / top):.1f}"
