"""imagemill.run: a time of a schedule, from its coming to the end of its job.

1. write the run down, or find that it was before;
2. start its job, unless it was started before: a repeated backfill makes no second one;
3. wait for the job's end, so that the schedule's overlap policy sees a run as long as its job runs.

When the schedule cancels it, since the next run has come, it tells its job to cancel and waits on: what was
bought is kept, and the next run begins when nothing is under way any more.
"""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import TypeVar

from temporalio import workflow
from temporalio.common import Priority, SearchAttributeKey, WorkflowIDReusePolicy
from temporalio.exceptions import ChildWorkflowError, TemporalError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.job import JobSummary
    from imagemill.domain.messages import CANCEL, JOB, SUMMARY_MEMO, JobStart
    from imagemill.domain.run_messages import PREPARE_RUN, RUN, PreparedRun, RunEnd, RunStart, RunTask
    from imagemill.search_attributes import attributes
    from workflows import policies

FOR_TIME = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""The time that a workflow was started for by a schedule: without jitter, and of a backfill the time past."""

Job = ChildWorkflowHandle[object, JobSummary]
Result = TypeVar("Result")


@workflow.defn(name=RUN)
class RunWorkflow:
    """One a time of a schedule; its id names both."""

    def __init__(self) -> None:
        self._cancelled = asyncio.Event()

    @workflow.run
    async def run(self, start: RunStart) -> RunEnd:
        """Prepare, start, wait."""
        prepared = await self._through(self._prepare(start))
        if prepared.problem:
            return RunEnd(job=prepared.job, outcome="no_run", problem=prepared.problem)
        job = await self._through(self._start(prepared.start)) if prepared.start else None
        if job is None:
            return RunEnd(job=prepared.job, outcome="duplicate", number=prepared.number)
        workflow.set_current_details(f"run {prepared.number}: waits for {prepared.job}")
        state = await self._ended(job)
        return RunEnd(job=prepared.job, outcome="ran", number=prepared.number, state=state)

    async def _prepare(self, start: RunStart) -> PreparedRun:
        task = RunTask(schedule=start.schedule, tenant=start.tenant, at=self._at())
        prepared: PreparedRun = await workflow.execute_activity(
            PREPARE_RUN, task, result_type=PreparedRun, **policies.account_bookkeeping(start.times)
        )
        return prepared

    @staticmethod
    def _at() -> datetime:
        """The time that this run is for; when it began, where nobody's schedule has started it."""
        info = workflow.info()
        return (info.typed_search_attributes.get(FOR_TIME) or info.start_time).replace(microsecond=0)

    @staticmethod
    async def _start(start: JobStart) -> Job | None:
        """The job, as if it had been submitted; None: it was started before."""
        place, summary = start.place, start.summary
        try:
            return await workflow.start_child_workflow(
                JOB,
                start,
                id=place.job,
                result_type=JobSummary,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=ParentClosePolicy.ABANDON,
                memo={SUMMARY_MEMO: summary},
                search_attributes=attributes(summary),
                priority=Priority(priority_key=place.priority, fairness_key=place.tenant),
            )
        except WorkflowAlreadyStartedError:
            return None

    async def _ended(self, job: Job) -> str | None:
        """The job's last state; None where somebody has ended it in the engine."""
        telling = asyncio.create_task(self._tell_cancel(job))
        try:
            return (await self._through(_result(job))).state
        except ChildWorkflowError:
            return None
        finally:
            telling.cancel()

    async def _tell_cancel(self, job: Job) -> None:
        await self._cancelled.wait()
        try:
            await job.signal(CANCEL)
        except TemporalError:
            workflow.logger.info("the job had ended before it was told to cancel")

    async def _through(self, work: Awaitable[Result]) -> Result:
        """Do it to its end; that this run was cancelled meanwhile is noted."""
        task = asyncio.ensure_future(work)
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    raise
                self._cancelled.set()


async def _result(job: Job) -> JobSummary:
    return await job
