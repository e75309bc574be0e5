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
from temporalio.common import SearchAttributeKey, WorkflowIDReusePolicy
from temporalio.exceptions import TemporalError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.budget import Account, Leases
    from imagemill.domain.job import ChunkFacts, Counts, JobState, JobSummary, add_lines
    from imagemill.domain.messages import (
        ACCOUNT_GRANT,
        ACCOUNT_RECALL,
        CANCEL,
        CHUNK,
        CHUNK_REPORT,
        INSPECT_CHUNK,
        JOB,
        PLAN,
        RECORDS,
        REPORT,
        RESUME,
        SET_BUDGET,
        STOP,
        SUMMARY_MEMO,
        BudgetSignal,
        ChunkReport,
        ChunkStart,
        ChunkTask,
        GenerationState,
        InspectedChunk,
        JobProgress,
        JobStart,
        Nothing,
        Plan,
        PlannedChunk,
        PlanTask,
        RecordsAnswer,
        ReportTask,
        chunk_workflow_id,
    )
    from imagemill.domain.tenant import AccountGrant
    from workflows import policies
    from workflows.generation import Generation
    from workflows.leasing import Leasing
    from workflows.single import tell_generation

STATE_ATTRIBUTE = SearchAttributeKey.for_keyword("ImagemillState")


@workflow.defn(name=JOB)
class JobWorkflow:
    """One a job; its id is the job's id, its memo the job's status."""

    @workflow.init
    def __init__(self, start: JobStart) -> None:
        self.place = start.place
        self.progress = start.resume or JobProgress(
            summary=start.summary, leases=Leases(cap=start.summary.cap_nano)
        )
        self._wake = False
        self._resume_due = False
        self._published = start.summary.state
        self._cancel_sent: set[int] = set()
        self._stop_sent: set[int] = set()
        self._alone: Generation | None = None
        self.leasing = Leasing(start.place, self.progress, self._tell)

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

    @workflow.signal(name=RESUME)
    def resume(self) -> None:
        """Go on, whatever held it: buy again what is of unknown outcome, try the provider at once."""
        self.progress.stopped, self.progress.resumed_at = None, workflow.now()
        self._resume_due = True
        self._wake = True

    @workflow.signal(name=SET_BUDGET)
    def set_budget(self, budget: BudgetSignal) -> None:
        """Raise or lower the cap, or choose what happens when it is used up."""
        self.leasing.set_budget(budget)
        self._wake = True

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
        self._take_in(report)
        self._wake = True

    @workflow.query(name=RECORDS)
    def records(self) -> RecordsAnswer:
        """The item of a job that runs it itself."""
        return RecordsAnswer(records=list(self._alone.state.records.values()) if self._alone else [])

    # --- planning -----------------------------------------------------------------------------

    async def _plan(self) -> bool:
        """Plan the job. False: another run has it, or there is nothing to run."""
        self.summary.started_at = workflow.now()
        self._become("validating")
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
        self.summary.estimate = plan.estimate
        return True

    # --- a job of one item --------------------------------------------------------------------

    async def _generate_alone(self) -> None:
        """The item is chunk 0, and lives in this workflow."""
        resumed = self.progress.alone
        self.progress.next_chunk = 1
        if not resumed:
            granted = self.leasing.open(0, self.progress.chunks[0])
            self.progress.alone = GenerationState(account=Account(cap=granted), granted=granted)
        assert self.progress.alone  # noqa: S101
        self._alone = Generation(self.place, 0, self.progress.alone, self._alone_changed)
        if not resumed:
            await self._alone.open()
        buying = asyncio.create_task(self._alone.run())
        while not buying.done():
            self._wake = False
            await self._forward()
            await self.leasing.balance()
            self._publish_alone()
            await self._woken(or_when=buying.done)
        self._alone_changed()
        self.summary.ended, self.summary.hold = self._alone.progress, None
        if not await buying:
            await self._continue_as_new()
        self.leasing.close(self._alone.report(0))

    def _alone_changed(self) -> None:
        """The item's own account has moved: what a chunk would report."""
        alone = self._alone
        if not alone:
            return
        if policies.history_is_long():
            alone.draining = True
        before = self.progress.reports.get(0)
        report = alone.report(before.sequence + 1 if before else 1)
        self.progress.reports[0] = report
        self.leasing.hear(report)
        self._stop_others(report)
        self._wake = True

    def _publish_alone(self) -> None:
        alone = self._alone
        assert alone  # noqa: S101
        self.summary.ended = alone.progress
        if self.progress.cancelled:
            self._become("cancelling")
        elif not alone.done:
            self._become("held" if alone.state.hold or self.summary.hold else "running", force=True)

    # --- a job of chunks ----------------------------------------------------------------------

    async def _generate_in_chunks(self) -> None:
        while True:
            self._wake = False
            await self._start_chunks()
            await self._forward()
            await self.leasing.balance()
            self._publish()
            if not self.progress.lives and self._nothing_to_start():
                return
            if policies.history_is_long():
                await self._continue_as_new()
            await self._woken(patience=timedelta(seconds=self.place.times.sweep))
            await self._sweep()

    @property
    def _following(self) -> PlannedChunk:
        return self.progress.chunks[self.progress.next_chunk]

    def _nothing_to_start(self) -> bool:
        return self.progress.cancelled or self.progress.next_chunk >= len(self.progress.chunks)

    async def _start_chunks(self) -> None:
        while (
            not self._nothing_to_start()
            and not self.progress.stopped
            and len(self.progress.lives) < self.place.chunks_at_once
            and self.leasing.may_start(self._following)
        ):
            chunk = self.progress.next_chunk
            self.progress.next_chunk += 1
            await self._start_chunk(chunk, life=0)

    async def _start_chunk(self, chunk: int, *, life: int) -> None:
        granted = self.leasing.open(chunk, self.progress.chunks[chunk])
        self.progress.lives[chunk] = life
        self.progress.heard_at[chunk] = workflow.now()
        try:
            await workflow.start_child_workflow(
                CHUNK,
                ChunkStart(
                    place=self.place,
                    chunk=chunk,
                    life=life,
                    granted=granted,
                    recalls=self.progress.recalls,
                    trust=self.leasing.known_trust(),
                ),
                id=chunk_workflow_id(self.place.job, chunk),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                priority=policies.priority(self.place),
                # A job that was reset must not run a chunk a second time; only a vanished one lives again.
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE
                if life
                else WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        except WorkflowAlreadyStartedError:
            # It runs since before this job was reset; it will report, or be found by the sweep.
            workflow.logger.warning("chunk runs already")

    def _take_in(self, report: ChunkReport) -> None:
        known = self.progress.reports.get(report.chunk)
        if self.progress.lives.get(report.chunk) != report.life:
            return
        if known and known.sequence >= report.sequence:
            return
        self.progress.reports[report.chunk] = report
        self.progress.heard_at[report.chunk] = workflow.now()
        self.leasing.hear(report)
        self._stop_others(report)
        if report.done:
            self._close(report, report.done)

    def _close(self, report: ChunkReport, facts: ChunkFacts) -> None:
        self.leasing.close(report)
        self._forget(report.chunk)
        self.progress.facts.append(facts)
        self.summary.ended.counts = self.summary.ended.counts.add(facts.counts)
        self.summary.ended.settled_nano += facts.settled_nano
        self.summary.ended.written_off_nano += facts.written_off_nano
        self.summary.ended.uncertain += report.progress.uncertain
        self.progress.lines = add_lines(self.progress.lines, report.lines)

    def _forget(self, chunk: int) -> None:
        for known in (self.progress.reports, self.progress.lives, self.progress.heard_at):
            known.pop(chunk, None)
        self._cancel_sent.discard(chunk)
        self._stop_sent.discard(chunk)

    async def _forward(self) -> None:
        """Pass on to the chunks what somebody has said to the job."""
        chunks = sorted(self.progress.lives) if not self._alone else [0]
        if self.progress.cancelled:
            for chunk in sorted(set(chunks) - self._cancel_sent):
                self._cancel_sent.add(chunk)
                await self._tell(chunk, CANCEL)
        if self._resume_due:
            self._resume_due = False
            for chunk in chunks:
                await self._tell(chunk, RESUME)
        if self.progress.stopped:
            for chunk in self._not_stopped(chunks):
                self._stop_sent.add(chunk)
                await self._tell(chunk, STOP, self.progress.stopped)

    def _stop_others(self, report: ChunkReport) -> None:
        """One chunk holds until it is told: so do the others."""
        hold, resumed = report.progress.hold, self.progress.resumed_at
        if not hold or hold.next_probe or self.progress.stopped or (resumed and hold.since <= resumed):
            return
        self.progress.stopped = hold
        self._stop_sent = {report.chunk}

    def _not_stopped(self, chunks: list[int]) -> list[int]:
        return [chunk for chunk in chunks if chunk not in self._stop_sent]

    async def _tell(self, chunk: int, name: str, *arguments: object) -> None:
        """A signal to a chunk, or a word to the item that this workflow runs itself."""
        if self._alone:
            tell_generation(self._alone, name, *arguments)
            return
        handle = workflow.get_external_workflow_handle(chunk_workflow_id(self.place.job, chunk))
        try:
            await handle.signal(name, args=list(arguments))
        except TemporalError:
            # It has just ended: its last report is on the way, or the sweep finds it.
            workflow.logger.info("chunk has ended", extra={"chunk": chunk})

    # --- silent chunks ------------------------------------------------------------------------

    async def _woken(
        self, *, or_when: Callable[[], bool] = lambda: False, patience: timedelta | None = None
    ) -> None:
        """Wait for news, but not for ever."""
        try:
            await workflow.wait_condition(lambda: self._wake or or_when(), timeout=patience)
        except TimeoutError:
            self.leasing.grow_stale()
        except asyncio.CancelledError:
            self.cancel()

    async def _sweep(self) -> None:
        """Ask the engine about the chunks that have not been heard of for a sweep's time."""
        silence = workflow.now() - timedelta(seconds=self.place.times.sweep)
        for chunk in sorted(c for c, heard in self.progress.heard_at.items() if heard <= silence):
            inspected = await workflow.execute_activity(
                INSPECT_CHUNK,
                ChunkTask(job=self.place.job, tenant=self.place.tenant, chunk=chunk),
                result_type=InspectedChunk,
                **policies.bookkeeping(self.place),
            )
            if chunk not in self.progress.lives:
                continue
            self.progress.heard_at[chunk] = workflow.now()
            if inspected.report and inspected.report.life == self.progress.lives[chunk]:
                self._take_in(inspected.report)
            elif not inspected.running:
                await self._revive(chunk)

    async def _revive(self, chunk: int) -> None:
        """The chunk was ended from outside: count all that it held, and start it again.

        Its next life finds in the store what this one bought.
        """
        lease = self.leasing.vanished(chunk)
        lost = lease.held - lease.spend.settled
        self.summary.ended.settled_nano += lease.spend.settled
        self.summary.ended.written_off_nano += lost
        self.progress.vanished_nano += lost
        life = self.progress.lives[chunk] + 1
        self._forget(chunk)
        await self._start_chunk(chunk, life=life)

    # --- telling ------------------------------------------------------------------------------

    def _publish(self) -> None:
        self.summary.open_chunks = dict(self.progress.lives)
        self._become(self._state(), force=True)

    def _state(self) -> JobState:
        if self.progress.cancelled:
            return "cancelling"
        reports = [self.progress.reports.get(chunk) for chunk in self.progress.lives]
        if self.summary.hold:
            return "held"
        if reports and all(report and report.progress.hold for report in reports):
            return "held"
        return "running"

    def _become(self, state: JobState, *, force: bool = False) -> None:
        changed = state != self._published
        self.summary.state = state
        if changed or force:
            workflow.upsert_memo({SUMMARY_MEMO: self.summary.model_copy(deep=True)})
        if changed:
            workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(state)])
            self._published = state
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
                vanished_nano=self.progress.vanished_nano,
                records=list(self._alone.state.records.values()) if self._alone else None,
            ),
            result_type=Nothing,
            **policies.bookkeeping(self.place),
        )
        self._become(end)
        await self.leasing.settle_up()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.summary

    def _count_never_started(self) -> None:
        """Give an end to the items of a failed job, and to those of chunks that a cancel came before."""
        if self.summary.failure:
            self.summary.ended.counts = Counts(failed=self.summary.items or 0)
        if self._alone or self.summary.failure:
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
