"""A schedule and its runs, as callers see them."""

import asyncio
from datetime import timedelta

from api.accounts import account_of
from api.context import Context
from api.models import JobAnswer
from api.problems import JOB_LOST, NOT_FOUND, Problem
from api.schedule_models import RunAnswer, ScheduleAnswer, ScheduleBudgetAnswer, SpecAnswer
from api.schedule_store import last_run
from api.schedule_times import answers, schedules_of
from api.status import status_of
from imagemill.domain.budget import total
from imagemill.domain.money import format_usd
from imagemill.domain.schedules import RunRecord, Schedule
from imagemill.ports import ScheduleFacts
from imagemill.schedule_words import in_words

STARTING = timedelta(hours=1)
"""So long after it was written down a run's job may still be about to start."""

GONE = ScheduleFacts(paused=False, note=None)
"""What is known of a schedule that the engine does not have."""


async def schedule_answer(parts: Context, schedule: Schedule) -> ScheduleAnswer:
    """A schedule, and how it stands."""
    found, run, budget = await asyncio.gather(
        schedules_of(parts).describe(schedule.id),
        _last(parts, schedule),
        _budget(parts, schedule),
    )
    facts = found or GONE
    upcoming = list(facts.next) if facts.runs_left is None else list(facts.next)[: facts.runs_left]
    return ScheduleAnswer(
        id=schedule.id,
        name=schedule.name,
        state="ended" if not upcoming else "paused" if facts.paused else "active",
        note=facts.note,
        spec=SpecAnswer(**schedule.spec.model_dump()),
        words=in_words(schedule.spec),
        overlap=schedule.overlap,
        catchup_seconds=schedule.catchup_seconds,
        runs_left=facts.runs_left,
        skipped=facts.skipped,
        missed=facts.missed,
        job=schedule.job,
        budget=budget,
        next=answers(upcoming, schedule.spec),
        last_run=run,
        created_at=schedule.created_at,
    )


async def run_answer(parts: Context, owner: str, record: RunRecord) -> RunAnswer:
    """A run, and how its job stands."""
    job = await _job(parts, owner, record.job)
    starting = parts.now() - record.created_at < STARTING
    return RunAnswer(
        number=record.number,
        at=record.at,
        job=record.job,
        state=job.state if job else "queued" if starting else "lost",
        hold=job.hold.code if job and job.hold else None,
        counts=job and job.items,
        settled_usd=job and job.cost.settled_usd,
        created_at=record.created_at,
    )


async def _last(parts: Context, schedule: Schedule) -> RunAnswer | None:
    record = await last_run(parts, schedule.tenant, schedule.id)
    return await run_answer(parts, schedule.tenant, record) if record else None


async def _job(parts: Context, owner: str, job: str) -> JobAnswer | None:
    try:
        return await status_of(parts, owner, job)
    except Problem as problem:
        if problem.kind not in (NOT_FOUND, JOB_LOST):
            raise
        return None


async def _budget(parts: Context, schedule: Schedule) -> ScheduleBudgetAnswer | None:
    """The month's cap, by the schedule's own account: what was spent before there was one counts, too."""
    if schedule.month_nano is None:
        return None
    account = await account_of(parts, schedule.tenant, schedule.id)
    spent = total(account.spent_in("month"))
    committed = account.committed_in("month")
    return ScheduleBudgetAnswer(
        month_usd=format_usd(schedule.month_nano),
        spent_usd=format_usd(spent.settled + spent.written_off),
        committed_usd=format_usd(committed),
        left_usd=format_usd(max(0, schedule.month_nano - committed)),
        time_zone=schedule.budget_zone,
    )
