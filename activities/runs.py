"""run.prepare: a time of a schedule becomes a job, the same one however often it is asked for.

1. read the schedule; what it submits may have been changed or deleted since the time was set;
2. find the run's number, or claim the next one;
3. write the job's request by a conditional put: whoever is first has said what the job is;
4. list it among the schedule's runs, and say what the job is to be started with.
"""

import asyncio
from datetime import UTC, datetime

from temporalio import activity

from activities.heartbeat import heartbeats
from imagemill.caps import caps_of
from imagemill.claims import claim
from imagemill.domain.errors import ObjectExists, ObjectMissing
from imagemill.domain.job import ScheduledRun, Submission
from imagemill.domain.places import (
    report_key,
    request_key,
    run_key,
    run_number_key,
    run_numbers_prefix,
    schedule_key,
)
from imagemill.domain.run_messages import PREPARE_RUN, PreparedRun, RunTask
from imagemill.domain.schedules import RunRecord, Schedule, job_of
from imagemill.domain.tenant import Caps
from imagemill.ports import ObjectStore
from imagemill.presence import is_there
from imagemill.starting import Starter
from imagemill.webhook_targets import Target, set_target

LOOKED_AT = 50
"""So many of the last numbers are looked at for one that this run has claimed before."""


class Runs:
    """Runs of schedules, as they are written down before their jobs start."""

    def __init__(
        self, control: ObjectStore, starter: Starter, caps: Caps, *, allow_uncapped: bool = False
    ) -> None:
        self._control = control
        self._starter = starter
        self._caps = caps
        self._allow_uncapped = allow_uncapped

    @activity.defn(name=PREPARE_RUN)
    async def prepare(self, task: RunTask) -> PreparedRun:
        """Write the run down, or find it."""
        async with heartbeats():
            job = job_of(task.schedule, task.at)
            if self._starter.tenants.is_removed(task.tenant):
                return PreparedRun(job=job, problem="the tenant was removed")
            submission = await self._stored(task.tenant, job)
            if submission and await is_there(self._control, report_key(task.tenant, job)):
                return PreparedRun(job=job)
            if submission is None:
                schedule = await self._schedule(task)
                if schedule is None:
                    return PreparedRun(job=job, problem="the schedule has been deleted")
                submission = await self._submit(schedule, task, job)
            return await self._listed(submission)

    async def _schedule(self, task: RunTask) -> Schedule | None:
        try:
            stored = await self._control.get(schedule_key(task.tenant, task.schedule))
        except ObjectMissing:
            return None
        schedule = Schedule.model_validate_json(stored)
        return None if schedule.deleted_at else schedule

    async def _stored(self, tenant: str, job: str) -> Submission | None:
        """What the job is, where that was said before."""
        try:
            return Submission.model_validate_json(await self._control.get(request_key(tenant, job)))
        except ObjectMissing:
            return None

    async def _submit(self, schedule: Schedule, task: RunTask, job: str) -> Submission:
        number = await self._number(task, job)
        run = ScheduledRun(schedule=schedule.id, number=number, at=task.at, time_zone=schedule.spec.time_zone)
        submission = schedule.submission(run, datetime.now(UTC))
        stated, priced = submission.prices_nano, self._starter.catalogue
        submission.prices_nano = {model: price for model, price in stated.items() if model not in priced}
        submission.refused = await self._refusal(submission)
        if schedule.webhook_url:
            target = Target(url=schedule.webhook_url, events=submission.webhook_events)
            await set_target(self._control, task.tenant, submission.job, target)
        body = submission.model_dump_json(exclude_none=True).encode()
        try:
            await self._control.put_new(request_key(task.tenant, submission.job), body)
        except ObjectExists:
            return await self._stored(task.tenant, submission.job) or submission
        return submission

    async def _refusal(self, submission: Submission) -> str | None:
        """Why it may not be started, although the schedule was taken: things that have changed since."""
        tenant = submission.tenant
        caps = await caps_of(self._control, tenant, self._caps, self._starter.tenants)
        if not caps.any and not self._allow_uncapped:
            return f"tenant {tenant} has no cap by day or month any more; an operator has to set one"
        found = self._starter.pool_problems(submission)
        return "; ".join(what for _, what in found) or None

    async def _number(self, task: RunTask, job: str) -> int:
        """The number of this run among those of its schedule: claimed before, or the next that is free."""
        prefix, keys = run_numbers_prefix(task.tenant, task.schedule), []
        async for key in self._control.keys(prefix):
            keys.append(key)
            if len(keys) == LOOKED_AT:
                break
        numbers = [10**9 - int(key.removeprefix(prefix)) for key in keys]
        jobs = await asyncio.gather(*(self._control.get(key) for key in keys))
        for number, known in zip(numbers, jobs, strict=True):
            if known.decode() == job:
                return number
        number = numbers[0] + 1 if numbers else 1
        while not await claim(
            self._control, run_number_key(task.tenant, task.schedule, number), job.encode()
        ):
            number += 1
        return number

    async def _listed(self, submission: Submission) -> PreparedRun:
        """The run as the schedule's list has it; writing it again changes nothing."""
        run = submission.run
        if run is None:
            return PreparedRun(job=submission.job, problem="another submission has this job's id")
        record = RunRecord(
            schedule=run.schedule,
            number=run.number,
            job=submission.job,
            at=run.at,
            created_at=submission.submitted_at,
        )
        key = run_key(submission.tenant, run.schedule, submission.job, int(run.at.timestamp() * 1000))
        await self._control.put(key, record.model_dump_json().encode())
        return PreparedRun(job=submission.job, number=run.number, start=self._starter.job_start(submission))
