"""Schedules as they are kept: their definitions, their runs, and that one is made once."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from api.context import Context
from api.models import JobBody
from api.problems import KEY_REUSED, NOT_FOUND, Problem
from api.schedule_models import ScheduleBody, ScheduleBudget, SchedulePatch
from api.submission import fingerprint, record_of
from imagemill.claims import claim
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.ids import new_id
from imagemill.domain.money import parse_usd
from imagemill.domain.places import idempotency_key, runs_prefix, schedule_key, schedules_prefix
from imagemill.domain.schedules import RunRecord, Schedule
from imagemill.domain.tenant import Caps


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a list; ``last`` is where the next page goes on."""

    data: Sequence[Any]
    has_more: bool
    last: str | None


async def schedule_of(parts: Context, owner: str, schedule: str, *, deleted: bool = False) -> Schedule:
    """A tenant's schedule; ``deleted``: also one that has been deleted.

    Raises:
        Problem: there is none.
    """
    found = await _read(parts, owner, schedule)
    if found is None or (found.deleted_at and not deleted):
        raise Problem(NOT_FOUND, f"there is no schedule {schedule}")
    return found


async def keep(parts: Context, schedule: Schedule) -> None:
    """Write a definition down, over what it was."""
    key = schedule_key(schedule.tenant, schedule.id)
    await parts.control.put(key, schedule.model_dump_json(exclude_none=True).encode())


async def all_schedules(parts: Context, owner: str, after: str | None = None) -> AsyncIterator[Schedule]:
    """A tenant's schedules, the newest first, without those that were deleted."""
    prefix = schedules_prefix(owner)
    keys = [key async for key in parts.control.keys(prefix)]
    for name in (key.removeprefix(prefix).removesuffix(".json") for key in reversed(keys)):
        if after and name >= after:
            continue
        found = await _read(parts, owner, name)
        if found and not found.deleted_at:
            yield found


async def schedules_page(parts: Context, owner: str, after: str | None, limit: int) -> Page:
    """Some of a tenant's schedules, the newest first."""
    data: list[Schedule] = []
    async for found in all_schedules(parts, owner, after):
        if len(data) == limit:
            return Page(data, has_more=True, last=data[-1].id)
        data.append(found)
    return Page(data, has_more=False, last=data[-1].id if data else None)


async def runs_page(parts: Context, owner: str, schedule: str, after: str | None, limit: int) -> Page:
    """Runs of a schedule, by the times that they are for, the newest first."""
    prefix = runs_prefix(owner, schedule)
    names: list[str] = []
    async for key in parts.control.keys(prefix, f"{prefix}{after}.json" if after else ""):
        names.append(key.removeprefix(prefix).removesuffix(".json"))
        if len(names) > limit:
            break
    shown = names[:limit]
    data = await asyncio.gather(*(parts.control.get(f"{prefix}{name}.json") for name in shown))
    records = [RunRecord.model_validate_json(each) for each in data]
    return Page(records, has_more=len(names) > limit, last=shown[-1] if shown else None)


async def last_run(parts: Context, owner: str, schedule: str) -> RunRecord | None:
    """The run for the newest time."""
    page = await runs_page(parts, owner, schedule, None, 1)
    return page.data[0] if page.data else None


async def _read(parts: Context, owner: str, schedule: str) -> Schedule | None:
    try:
        return Schedule.model_validate_json(await parts.control.get(schedule_key(owner, schedule)))
    except ObjectMissing:
        return None


# --- made once -----------------------------------------------------------------------------------


async def id_for(parts: Context, owner: str, body: ScheduleBody, key: str | None) -> str:
    """The id that a schedule of this content is to have; with an idempotency key always the same.

    Raises:
        Problem: the key belongs to another content.
    """
    made = new_id("sched")
    if key is None:
        return made
    record = {"schedule": made, "body": fingerprint(body, "schedule")}
    where = idempotency_key(owner, f"schedule\0{key}")
    if await claim(parts.control, where, json.dumps(record).encode()):
        return made
    return await _known(parts, owner, body, key) or made


async def made_before(parts: Context, owner: str, body: ScheduleBody, key: str) -> Schedule | None:
    """The schedule that this key was answered with; None: it was not.

    Raises:
        Problem: the key belongs to another content, or the schedule has been deleted.
    """
    known = await _known(parts, owner, body, key)
    found = await _read(parts, owner, known) if known else None
    if found and found.deleted_at:
        raise Problem(
            KEY_REUSED, f"this Idempotency-Key was used for schedule {known}, which has been deleted"
        )
    return found


async def _known(parts: Context, owner: str, body: ScheduleBody, key: str) -> str | None:
    try:
        record = json.loads(await parts.control.get(idempotency_key(owner, f"schedule\0{key}")))
    except ObjectMissing:
        return None
    schedule: str = record["schedule"]
    if record["body"] != fingerprint(body, "schedule"):
        raise Problem(KEY_REUSED, f"this Idempotency-Key was used for schedule {schedule}, with another body")
    return schedule


# --- definitions ---------------------------------------------------------------------------------


def definition(parts: Context, owner: str, id_: str, body: ScheduleBody) -> Schedule:
    """A schedule as it is written down."""
    spec = body.spec.stored()
    return Schedule(
        id=id_,
        tenant=owner,
        name=body.name,
        spec=spec,
        overlap=body.overlap,
        catchup_seconds=body.catchup_seconds,
        created_at=parts.now(),
        **_of_job(owner, body.job),
        **_of_budget(body.budget, spec.time_zone),
    )


def changed(schedule: Schedule, body: SchedulePatch) -> Schedule:
    """A schedule with what is said put in the place of what was."""
    said = body.model_fields_set
    news: dict[str, Any] = body.model_dump(include={"name", "overlap", "catchup_seconds"}, exclude_none=True)
    if body.spec:
        news["spec"] = body.spec.stored()
    if body.job:
        news |= _of_job(schedule.tenant, body.job)
    if "budget" in said:
        news |= _of_budget(body.budget, news.get("spec", schedule.spec).time_zone)
    return schedule.model_copy(update=news)


def caps_of(schedule: Schedule) -> Caps:
    """What its runs may spend together."""
    return Caps(month_nano=schedule.month_nano, time_zone=schedule.budget_zone)


def _of_job(owner: str, job: JobBody) -> dict[str, Any]:
    return {
        "job": job.model_dump(mode="json", exclude_unset=True),
        "template": record_of("", owner, job),
        "webhook_url": job.webhook and job.webhook.url,
    }


def _of_budget(budget: ScheduleBudget | None, time_zone: str) -> dict[str, Any]:
    return {
        "month_nano": parse_usd(budget.month_usd) if budget else None,
        "budget_zone": (budget and budget.time_zone) or time_zone,
    }
