"""When a spec runs, by the engine's own reckoning: asked of a schedule that is paused, and gone again."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from api.context import Context
from api.problems import UNAVAILABLE, Problem
from api.schedule_models import PreviewAnswer, TimeAnswer
from imagemill.domain.errors import InvalidInput
from imagemill.domain.ids import new_id
from imagemill.domain.job import Submission
from imagemill.domain.request import ImageSettings
from imagemill.domain.schedules import LEAST_APART, Schedule, Spec
from imagemill.domain.windows import zone
from imagemill.ports import Schedules
from imagemill.schedule_words import in_words

SPANS = (timedelta(days=2), timedelta(days=40), timedelta(days=400), timedelta(days=4000))
LAST = datetime(2100, 1, 1, tzinfo=UTC)
LOOKED_AT = 50
"""So many times are looked at for whether they are far enough apart."""


def schedules_of(parts: Context) -> Schedules:
    """The engine's schedules.

    Raises:
        Problem: there are none.
    """
    if parts.schedules is None:
        raise Problem(UNAVAILABLE, "this service has no engine that keeps schedules")
    return parts.schedules


async def checked(parts: Context, owner: str, spec: Spec) -> None:
    """Is it a spec that can be kept?

    Raises:
        InvalidInput: it can't be read, names no time, or times that are too close.
    """
    times = await upcoming(parts, owner, spec, LOOKED_AT)
    if not times:
        raise InvalidInput([("/spec", "names no time from now on, so nothing would ever run")])
    least = min(((after - before).total_seconds() for before, after in pairwise(times)), default=LEAST_APART)
    if least < LEAST_APART:
        detail = f"names times that are {least:.0f} seconds apart; at least {LEAST_APART} are needed"
        raise InvalidInput([("/spec", detail)])


async def preview(parts: Context, owner: str, spec: Spec, count: int) -> PreviewAnswer:
    """When it runs, in words, and its next times.

    Raises:
        InvalidInput: it can't be read.
    """
    return PreviewAnswer(
        words=in_words(spec),
        times=answers(await upcoming(parts, owner, spec, count), spec),
        jitter_seconds=spec.jitter_seconds,
    )


def answers(times: list[datetime], spec: Spec) -> list[TimeAnswer]:
    """Times, as the clock of the schedule shows them too."""
    there = zone(spec.time_zone)
    return [TimeAnswer(at=at, local=at.astimezone(there)) for at in times]


async def upcoming(parts: Context, owner: str, spec: Spec, count: int) -> list[datetime]:
    """The next times of a spec, without jitter.

    Raises:
        InvalidInput: it can't be read.
    """
    schedules, scratch = schedules_of(parts), _scratch(owner, spec)
    await schedules.create(scratch, parts.times)
    try:
        return await _next(schedules, scratch.id, max(parts.now(), spec.start or parts.now()), count)
    finally:
        await schedules.delete(scratch.id)


async def _next(schedules: Schedules, schedule: str, since: datetime, count: int) -> list[datetime]:
    """Times are far apart or close together: it is looked ahead further and further."""
    found: list[datetime] = []
    for end in (*(since + span for span in SPANS), LAST):
        found = await schedules.times_of(schedule, since, min(end, LAST), count)
        if len(found) >= count:
            break
    return found


def _scratch(owner: str, spec: Spec) -> Schedule:
    """A schedule to ask about, which submits nothing: it stays paused."""
    now = datetime.now(UTC)
    nothing = Submission(job="", tenant=owner, submitted_at=now, defaults=ImageSettings(), cap_nano=0)
    return Schedule(
        id=new_id("sched"),
        tenant=owner,
        name="",
        spec=spec.model_copy(update={"jitter_seconds": 0}),
        job={},
        template=nothing,
        created_at=now,
    )
