"""imagemill.job: a submission, from its plan to its report.

1. claim the job for this run, and plan it: every row becomes an item, or a reason;
2. run its chunks, a few at once, and lease them money; a job of one item runs it itself;
3. add up what they report, until all of them have ended;
4. write the report.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.budget import Account, Leases
    from imagemill.domain.job import ChunkFacts, Counts, JobSummary
    from imagemill.domain.job_states import JobState, may_follow
    from imagemill.domain.messages import (
        ACCOUNT_GRANT,
        ACCOUNT_RECALL,
        CANCEL,
        CHUNK_REPORT,
        JOB,
        PAUSE,
        PLAN,
        RECORDS,
        REPORT,
        RESUME,
        SET_BUDGET,
        SET_PRIORITY,
        SET_WEBHOOK,
        STORE_REFUSES,
        SUMMARY_MEMO,
        BudgetSignal,
        ChunkReport,
        GenerationState,
        JobProgress,
        JobStart,
        Nothing,
        Plan,
        PlanTask,
        PrioritySignal,
        RecordsAnswer,
        ReportTask,
        StoreRefuses,
        WebhookSignal,
    )
    from imagemill.domain.tenant import AccountGrant
    from imagemill.domain.webhooks import Telling
    from workflows import policies
    from workflows.chunks import Chunks
    from workflows.generation import Generation
    from workflows.telling import Teller

STATE_ATTRIBUTE = SearchAttributeKey.for_keyword("ImagemillState")


@workflow.defn(name=JOB)
class JobWorkflow:
    """One a job; its id is the job's id, its memo the job's status."""

    @workflow.init
    def __init__(self, start: JobStart) -> None:
        self.place = start.place
        self.progress = start.resume or JobProgress(
            summary=start.summary,
            leases=Leases(cap=start.summary.cap_nano),
            telling=Telling(events=start.webhook_events),
        )
        self._wake = False
        self._published = start.summary.state
        self.chunks = Chunks(start.place, self.progress, self._publish)
        self.leasing = self.chunks.leasing
        self.teller = Teller(start.place, self.progress)

    @property
    def summary(self) -> JobSummary:
        """What the memo holds."""
        return self.progress.summary

    @workflow.run
    async def run(self, start: JobStart) -> JobSummary:
        """Plan, generate, report."""
        first_ask = asyncio.create_task(self.leasing.ask_first(start.first_ask_nano))
        if not self.progress.planned and not await self._plan():
            await first_ask
            await self.leasing.settle_up()
            return self.summary
        await first_ask
        if self.summary.failure is None:
            await (self._generate_alone() if self.summary.items == 1 else self._generate_in_chunks())
        return await self._report()

    # --- from outside -------------------------------------------------------------------------

    @workflow.signal(name=CANCEL)
    def cancel(self) -> None:
        """Start nothing more; what is under way is finished and kept."""
        self.progress.cancelled = True
        if self._published == "validating":
            self._become("cancelling")
        self._wake = True

    @workflow.signal(name=PAUSE)
    def pause(self) -> None:
        """Start nothing until told; what is under way is finished and kept."""
        if self.progress.paused:
            return
        self.progress.paused = True
        self.progress.pauses += 1
        if self._published == "validating":
            self._become("pausing")
        self._wake = True

    @workflow.signal(name=RESUME)
    def resume(self) -> None:
        """Go on, whatever stopped it: buy again what is of unknown outcome, try the provider at once."""
        self.progress.paused = False
        self.progress.stopped, self.progress.resumed_at = None, workflow.now()
        self.progress.resume_due = True
        self.chunks.resumed()
        if self._published == "pausing" and not self.progress.planned:
            self._become("validating")
        self._wake = True

    @workflow.signal(name=SET_PRIORITY)
    def set_priority(self, change: PrioritySignal) -> None:
        """Calls that have not been made yet wait with another priority."""
        if change.priority != self.place.priority:
            self.chunks.set_priority(change.priority)
            self._wake = True

    @workflow.signal(name=SET_BUDGET)
    def set_budget(self, budget: BudgetSignal) -> None:
        """Raise or lower the cap, or choose what happens when it is used up."""
        self.leasing.set_budget(budget)
        self._wake = True

    @workflow.signal(name=SET_WEBHOOK)
    def set_webhook(self, change: WebhookSignal) -> None:
        """Somebody else is to be told, or other things, or nobody."""
        self.teller.listen_for(change.events)
        self.progress.watch_due = self._wake = True

    @workflow.signal(name=ACCOUNT_GRANT)
    def account_grant(self, grant: AccountGrant) -> None:
        """The tenant's account answers."""
        self.leasing.granted(grant)
        self._wake = True

    @workflow.signal(name=ACCOUNT_RECALL)
    def account_recall(self) -> None:
        """A cap of the tenant's was lowered."""
        self.leasing.called_back()
        self._wake = True

    @workflow.signal(name=CHUNK_REPORT)
    def chunk_report(self, report: ChunkReport) -> None:
        """A chunk tells its running totals."""
        self.chunks.take_in(report)
        self._wake = True

    @workflow.signal(name=STORE_REFUSES)
    def store_refuses(self, told: StoreRefuses) -> None:
        """A worker can't store what it has bought for the item that this workflow runs itself."""
        if self.chunks.alone:
            self.chunks.alone.store_refuses(told)

    @workflow.query(name=RECORDS)
    def records(self) -> RecordsAnswer:
        """The item of a job that runs it itself."""
        return RecordsAnswer(
            records=list(self.chunks.alone.state.records.values()) if self.chunks.alone else []
        )

    # --- planning -----------------------------------------------------------------------------

    async def _plan(self) -> bool:
        """Plan the job. False: another run has it, or there is nothing to run."""
        self.summary.started_at = workflow.now()
        self._become("pausing" if self.progress.paused else "validating")
        plan = await workflow.execute_activity(
            PLAN,
            PlanTask(
                job=self.place.job, tenant=self.place.tenant, run=workflow.info().first_execution_run_id
            ),
            result_type=Plan,
            **policies.bookkeeping(self.place),
        )
        if plan.duplicate:
            self._become("duplicate")
            return False
        self.progress.planned = True
        self.progress.chunks = plan.chunks
        self.summary.items = plan.items
        self.summary.chunks = len(plan.chunks)
        self.summary.invalid_rows = plan.invalid_rows
        self.summary.failure, self.summary.failure_detail = plan.failure, plan.failure_detail
        self.summary.estimate, self.summary.manifest = plan.estimate, plan.manifest
        return True

    # --- a job of one item --------------------------------------------------------------------

    async def _generate_alone(self) -> None:
        """The item is chunk 0, and lives in this workflow."""
        resumed = self.progress.alone
        self.progress.next_chunk = 1
        if not resumed:
            granted = self.leasing.open(0, self.progress.chunks[0])
            paused = self.progress.pauses if self.progress.paused else 0
            self.progress.alone = GenerationState(
                account=Account(cap=granted), granted=granted, paused=paused
            )
        assert self.progress.alone  # noqa: S101
        self.chunks.alone = alone = Generation(self.place, 0, self.progress.alone, self._alone_changed)
        if not resumed:
            await alone.open()
        buying = asyncio.create_task(alone.run())
        while not buying.done():
            self._wake = False
            await self.chunks.forward()
            await self.leasing.balance()
            self._publish_alone()
            # Alone, it waits for nobody but the account, which might have been lost.
            patience = timedelta(seconds=self.place.times.sweep) if self.place.account else None
            await self._woken(or_when=buying.done, patience=patience)
        self._alone_changed()
        self.summary.ended, self.summary.hold = alone.progress, None
        if not await buying:
            await self._continue_as_new()
        self.leasing.close(alone.report(0))

    def _alone_changed(self) -> None:
        """The item's own account has moved: what a chunk would report."""
        alone = self.chunks.alone
        if not alone:
            return
        if policies.history_is_long():
            alone.draining = True
        before = self.progress.reports.get(0)
        report = alone.report(before.sequence + 1 if before else 1)
        self.progress.reports[0] = report
        self.leasing.hear(report)
        self.chunks.stop_others(report)
        self._wake = True

    def _publish_alone(self) -> None:
        alone = self.chunks.alone
        assert alone  # noqa: S101
        self.summary.ended = alone.progress
        if self.progress.cancelled:
            self._become("cancelling")
        elif not alone.done:
            self._become(self._state(), force=True)

    # --- a job of chunks ----------------------------------------------------------------------

    async def _generate_in_chunks(self) -> None:
        while True:
            self._wake = False
            await self.chunks.start()
            await self.chunks.forward()
            await self.leasing.balance()
            self._publish()
            if not self.progress.lives and self.chunks.nothing_to_start():
                return
            if policies.history_is_long():
                await self._continue_as_new()
            await self._woken(patience=timedelta(seconds=self.place.times.sweep))
            await self.chunks.sweep()

    async def _woken(
        self, *, or_when: Callable[[], bool] = lambda: False, patience: timedelta | None = None
    ) -> None:
        """Wait for news, but not for ever."""
        try:
            await workflow.wait_condition(lambda: self._wake or or_when(), timeout=patience)
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            self.cancel()

    # --- telling ------------------------------------------------------------------------------

    def _publish(self) -> None:
        self.summary.open_chunks = dict(self.progress.lives)
        self._become(self._state(), force=True)

    def _state(self) -> JobState:
        if self.progress.cancelled:
            return "cancelling"
        if self.progress.paused:
            return "paused" if self.chunks.all_paused() else "pausing"
        return "held" if self.summary.hold or self.chunks.all_held() else "running"

    def _become(self, state: JobState, *, force: bool = False) -> None:
        changed = state != self._published
        if not may_follow(self._published, state):
            workflow.logger.error("no such step between states", extra={"to": state, "from": self._published})
        self.summary.state = state
        if changed or force:
            workflow.upsert_memo({SUMMARY_MEMO: self.summary.model_copy(deep=True)})
        if changed:
            workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(state)])
            self._published = state
        self.teller.shown()
        counts = self.summary.ended.counts
        workflow.set_current_details(
            f"{state}: {counts.terminal} of {self.summary.items} items in ended chunks, "
            f"chunks under way: {sorted(self.progress.lives)}"
        )

    async def _continue_as_new(self) -> NoReturn:
        await workflow.wait_condition(workflow.all_handlers_finished)
        # A new run has the memo that the first one was started with, unless it is given another.
        workflow.continue_as_new(
            JobStart(place=self.place, summary=self.summary, resume=self.progress),
            memo={SUMMARY_MEMO: self.summary.model_copy(deep=True)},
        )

    # --- the end ------------------------------------------------------------------------------

    async def _report(self) -> JobSummary:
        """Write the receipt, and only then show the end."""
        self._count_never_started()
        self.summary.open_chunks = {}
        self.summary.hold = None
        self.summary.committed_nano = self.progress.leases.committed
        self.summary.ended_at = workflow.now()
        end = self._end_state()
        final = self.summary.model_copy(deep=True, update={"state": end})
        await workflow.execute_activity(
            REPORT,
            ReportTask(
                job=self.place.job,
                tenant=self.place.tenant,
                summary=final,
                chunks=sorted(self.progress.facts, key=lambda facts: facts.chunk),
                lines=self.progress.lines,
                trust=self.progress.trust,
                records=list(self.chunks.alone.state.records.values()) if self.chunks.alone else None,
                schedule=self.place.schedule,
            ),
            result_type=Nothing,
            **policies.bookkeeping(self.place),
        )
        self._become(end)
        await self.leasing.settle_up()
        await self.teller.all_told()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.summary

    def _count_never_started(self) -> None:
        """Give an end to the items of a failed job, and to those of chunks that a cancel came before."""
        if self.summary.failure:
            self.summary.ended.counts = Counts(failed=self.summary.items or 0)
        if self.chunks.alone or self.summary.failure:
            return
        for chunk in range(self.progress.next_chunk, len(self.progress.chunks)):
            planned = self.progress.chunks[chunk]
            counts = Counts(cancelled=planned.items - planned.invalid, failed=planned.invalid)
            self.summary.ended.counts = self.summary.ended.counts.add(counts)
            self.progress.facts.append(
                ChunkFacts(
                    chunk=chunk,
                    items=planned.items,
                    results_sha256="",
                    counts=counts,
                    settled_nano=0,
                    written_off_nano=0,
                )
            )

    def _end_state(self) -> JobState:
        counts = self.summary.ended.counts
        if self.summary.failure:
            return "failed"
        if counts.cancelled:
            return "cancelled"
        return "completed" if counts.succeeded == self.summary.items else "completed_with_errors"
