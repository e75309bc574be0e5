"""/v1/schedules: what is submitted by itself, when, and what became of it."""

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from starlette.convertors import Convertor, register_url_convertor

from api.accounts import open_account, set_schedule_caps
from api.checks import problems_of
from api.context import Context, context, tenant
from api.models import JobBody
from api.openapi_headers import headers
from api.problems import INVALID, KEY_REUSED, NO_CAP, NOT_FOUND, RUN_UNDER_WAY, Problem, problems
from api.schedule_answers import run_answer, schedule_answer
from api.schedule_models import (
    MOST_PREVIEWED,
    SCHEDULE_ID,
    BackfillAnswer,
    BackfillBody,
    NoteBody,
    PreviewAnswer,
    PreviewBody,
    RunPage,
    ScheduleAnswer,
    ScheduleBody,
    SchedulePage,
    SchedulePatch,
    TriggerAnswer,
)
from api.schedule_store import (
    caps_of,
    changed,
    definition,
    id_for,
    keep,
    made_before,
    runs_page,
    schedule_of,
    schedules_page,
)
from api.schedule_times import checked, preview, schedules_of
from imagemill.domain.errors import InvalidInput
from imagemill.domain.job_states import ENDED
from imagemill.domain.schedules import BEING_MADE, Schedule, job_of
from imagemill.ports import ScheduleChange


class _ScheduleIds(Convertor[str]):
    """Only ids of schedules stand in the place of one: ``/preview`` is an address of its own."""

    regex = SCHEDULE_ID.strip("^$")

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("sched", _ScheduleIds())

router = APIRouter(prefix="/v1/schedules", tags=["schedules"])
Parts = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]
ScheduleId = Annotated[str, Path(pattern=SCHEDULE_ID, max_length=40)]
Limit = Annotated[int, Query(ge=1, le=100)]

MOST_BACKFILLED = 1000
"""Times of one backfill."""


@router.post(
    "",
    status_code=201,
    summary="Make a schedule",
    response_model=ScheduleAnswer,
    responses={
        200: {"model": ScheduleAnswer} | headers("Location", "Idempotency-Replayed"),
        201: headers("Location"),
        **problems(INVALID, KEY_REUSED, NO_CAP),
    },
)
async def create_schedule(
    body: ScheduleBody,
    response: Response,
    parts: Parts,
    owner: Tenant,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> ScheduleAnswer:
    """Check the job and the times, and keep the schedule; what it submits is checked as a job's submission.

    With an ``Idempotency-Key``, the same request again answers 200 with the same schedule.
    """
    made = await made_before(parts, owner, body, idempotency_key) if idempotency_key else None
    if made:
        await _make_rest(parts, made, body)
        response.status_code = 200
        response.headers["Idempotency-Replayed"] = "true"
    else:
        made = await _make(parts, owner, body, idempotency_key)
    response.headers["Location"] = f"/v1/schedules/{made.id}"
    return await schedule_answer(parts, made)


@router.post("/preview", summary="When a spec would run", responses=problems(INVALID))
async def preview_spec(body: PreviewBody, parts: Parts, owner: Tenant) -> PreviewAnswer:
    """In words, and the next times. Nothing is saved."""
    return await preview(parts, owner, body.spec.stored(), body.count)


@router.get("", summary="Schedules, the newest first")
async def list_schedules(
    parts: Parts,
    owner: Tenant,
    after: Annotated[
        str | None, Query(pattern=SCHEDULE_ID, description="The ``last_id`` of the page before.")
    ] = None,
    limit: Limit = 20,
) -> SchedulePage:
    """Each with its last run and its next times."""
    page = await schedules_page(parts, owner, after, limit)
    data = await asyncio.gather(*(schedule_answer(parts, each) for each in page.data))
    return SchedulePage(data=data, has_more=page.has_more, last_id=page.last)


@router.get("/{schedule:sched}", summary="A schedule")
async def get_schedule(schedule: ScheduleId, parts: Parts, owner: Tenant) -> ScheduleAnswer:
    """With its last run and its next times."""
    return await schedule_answer(parts, await schedule_of(parts, owner, schedule))


@router.patch("/{schedule:sched}", summary="Change a schedule", responses=problems(INVALID))
async def change_schedule(
    schedule: ScheduleId, body: SchedulePatch, parts: Parts, owner: Tenant
) -> ScheduleAnswer:
    """What is left out stays. Runs under way go on as they are; another cap by month counts for them too."""
    before = await schedule_of(parts, owner, schedule)
    after = changed(before, body)
    if body.job:
        await _check_job(parts, owner, body.job)
    if body.spec:
        await checked(parts, owner, after.spec)
    said = body.model_dump(include={"paused", "note", "runs"}, exclude_unset=True)
    await _tell(parts, after, ScheduleChange(**said))
    if caps_of(after) != caps_of(before):
        # Before it is kept: where its account can't be told now, the same change said again must tell it.
        await set_schedule_caps(parts, owner, schedule, caps_of(after))
    await keep(parts, after)
    return await schedule_answer(parts, after)


@router.delete("/{schedule:sched}", status_code=204, summary="Delete a schedule")
async def delete_schedule(schedule: ScheduleId, parts: Parts, owner: Tenant) -> None:
    """It starts nothing more. Runs that are under way go on, and all of its runs can be listed still."""
    found = await schedule_of(parts, owner, schedule)
    await schedules_of(parts).delete(schedule)
    await keep(parts, found.model_copy(update={"deleted_at": parts.now()}))


@router.post("/{schedule:sched}/pause", summary="Pause a schedule")
async def pause_schedule(
    schedule: ScheduleId, parts: Parts, owner: Tenant, body: NoteBody | None = None
) -> ScheduleAnswer:
    """It starts nothing by itself until it is resumed; times that pass meanwhile are not made up for."""
    return await _set_paused(parts, await schedule_of(parts, owner, schedule), body, paused=True)


@router.post("/{schedule:sched}/resume", summary="Resume a schedule")
async def resume_schedule(
    schedule: ScheduleId, parts: Parts, owner: Tenant, body: NoteBody | None = None
) -> ScheduleAnswer:
    """It goes on with its next time. To run those that it has missed, backfill them."""
    return await _set_paused(parts, await schedule_of(parts, owner, schedule), body, paused=False)


@router.post(
    "/{schedule:sched}/trigger",
    status_code=202,
    summary="Run now",
    responses=problems(RUN_UNDER_WAY, NOT_FOUND),
)
async def trigger_schedule(schedule: ScheduleId, parts: Parts, owner: Tenant) -> TriggerAnswer:
    """A run for this second, as the overlap policy lets it; also of a schedule that is paused or has ended.

    Two triggers within one second are one run.
    """
    found = await schedule_of(parts, owner, schedule)
    at = parts.now().replace(microsecond=0)
    if found.overlap == "skip" and (other := await _under_way(parts, found, at)):
        raise Problem(
            RUN_UNDER_WAY, f"the run for {other.isoformat()} is under way, so this one would be skipped"
        )
    if not await schedules_of(parts).trigger(schedule, at):
        raise _forgotten(schedule)
    return TriggerAnswer(at=at, job=job_of(schedule, at))


@router.post(
    "/{schedule:sched}/backfill",
    status_code=202,
    summary="Run the times of a range",
    responses=problems(INVALID),
)
async def backfill_schedule(
    schedule: ScheduleId, body: BackfillBody, parts: Parts, owner: Tenant
) -> BackfillAnswer:
    """All its times in the range become runs, one after the other, or at once with ``allow_all``.

    Times that have run make no second job.
    """
    found = await schedule_of(parts, owner, schedule)
    if body.end > parts.now():
        raise InvalidInput([("/end", f"{body.end.isoformat()} has not come yet; end at the present at most")])
    times = await schedules_of(parts).times_of(schedule, body.start, body.end, MOST_BACKFILLED + 1)
    if not times:
        raise InvalidInput([("/start", "the schedule names no time in this range")])
    if len(times) > MOST_BACKFILLED:
        detail = f"the range holds more than {MOST_BACKFILLED:,} times; backfill it in parts"
        raise InvalidInput([("/end", detail)])
    at_once = found.overlap == "allow_all"
    if not await schedules_of(parts).backfill(schedule, body.start, body.end, at_once=at_once):
        raise _forgotten(schedule)
    return BackfillAnswer(times=len(times))


@router.get("/{schedule:sched}/runs", summary="Runs of a schedule, the newest first")
async def list_runs(
    schedule: ScheduleId,
    parts: Parts,
    owner: Tenant,
    after: Annotated[
        str | None, Query(pattern=r"^[\w-]{1,64}$", description="The ``last_id`` of the page before.")
    ] = None,
    limit: Limit = 20,
) -> RunPage:
    """Also of a schedule that has been deleted."""
    await schedule_of(parts, owner, schedule, deleted=True)
    page = await runs_page(parts, owner, schedule, after, limit)
    data = await asyncio.gather(*(run_answer(parts, owner, record) for record in page.data))
    return RunPage(data=data, has_more=page.has_more, last_id=page.last)


@router.get("/{schedule:sched}/preview", summary="When a schedule runs next")
async def preview_schedule(
    schedule: ScheduleId,
    parts: Parts,
    owner: Tenant,
    count: Annotated[int, Query(ge=1, le=MOST_PREVIEWED)] = 10,
) -> PreviewAnswer:
    """In words, and its next times, as if it were not paused."""
    found = await schedule_of(parts, owner, schedule)
    return await preview(parts, owner, found.spec, count)


# --- steps ---------------------------------------------------------------------------------------


async def _make(parts: Context, owner: str, body: ScheduleBody, key: str | None) -> Schedule:
    """Check it, then keep it: in the engine first, where it is paused until all else is there."""
    await _check_job(parts, owner, body.job)
    await checked(parts, owner, body.spec.stored())
    await open_account(parts, owner)
    made = definition(parts, owner, await id_for(parts, owner, body, key), body)
    if made.month_nano is not None:
        await set_schedule_caps(parts, owner, made.id, caps_of(made))
    await schedules_of(parts).create(made, parts.times)
    await keep(parts, made)
    await _tell(parts, made, ScheduleChange(paused=body.paused, note=body.note, runs=body.runs))
    return made


async def _make_rest(parts: Context, made: Schedule, body: ScheduleBody) -> None:
    """Who made it may have got no further than to keep it: without this it stayed paused for ever."""
    facts = await schedules_of(parts).describe(made.id)
    if facts and facts.paused and facts.note == BEING_MADE:
        await _tell(parts, made, ScheduleChange(paused=body.paused, note=body.note, runs=body.runs))


async def _check_job(parts: Context, owner: str, job: JobBody) -> None:
    found = await problems_of(parts, owner, job, scheduled=True)
    if found:
        raise InvalidInput([(f"/job{where}", what) for where, what in found])


async def _set_paused(
    parts: Context, schedule: Schedule, body: NoteBody | None, *, paused: bool
) -> ScheduleAnswer:
    await _tell(parts, schedule, ScheduleChange(paused=paused, note=body.note if body else None))
    return await schedule_answer(parts, schedule)


async def _tell(parts: Context, schedule: Schedule, change: ScheduleChange) -> None:
    """Change what the engine keeps; a schedule that it has lost is made again."""
    schedules = schedules_of(parts)
    if not await schedules.change(schedule, parts.times, change):
        await schedules.create(schedule, parts.times)
        await schedules.change(schedule, parts.times, change)


async def _under_way(parts: Context, schedule: Schedule, at: datetime) -> datetime | None:
    """A run under way, but for the one of this second; the engine may still list one that has just ended."""
    facts = await schedules_of(parts).describe(schedule.id)
    for time in facts.under_way if facts else ():
        summary = await parts.engine.job_summary(job_of(schedule.id, time))
        if time != at and (summary is None or summary.state not in ENDED):
            return time
    return None


def _forgotten(schedule: str) -> Problem:
    return Problem(NOT_FOUND, f"the engine has no schedule {schedule} any more; change it to make it again")
