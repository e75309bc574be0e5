"""imagemill.job: a submission, from its plan to its report.

1. claim the job for this run, and plan it: every row becomes an item, or a reason;
2. run its chunks, a few at once, and lease them money; a job of one item runs it itself;
3. add up what they report, until all of them have ended;
4. write the report.
"""

import asyncio
from datetime import timedelta
from typing import NoReturn

from temporalio import workflow
from temporalio.common import SearchAttributeKey, WorkflowIDReusePolicy
from temporalio.exceptions import TemporalError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.budget import Account, Leases
    from imagemill.domain.job import ChunkFacts, Counts, JobState, JobSummary
    from imagemill.domain.messages import (
        CANCEL,
        CHUNK,
        CHUNK_REPORT,
        EXHAUST,
        GRANT,
        INSPECT_CHUNK,
        JOB,
        PLAN,
        RECORDS,
        REPORT,
        SUMMARY_MEMO,
        ChunkReport,
        ChunkStart,
        ChunkTask,
        GenerationState,
        GrantSignal,
        InspectedChunk,
        JobProgress,
        JobStart,
        Nothing,
        Plan,
        PlanTask,
        RecordsAnswer,
        ReportTask,
        chunk_workflow_id,
    )
    from workflows import policies
    from workflows.generation import Generation

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
        self._published = start.summary.state
        self._cancel_sent: set[int] = set()
        self._exhaust_sent: set[int] = set()
        self._alone: Generation | None = None

    @property
    def summary(self) -> JobSummary:
        """What the memo holds."""
        return self.progress.summary

    @workflow.run
    async def run(self, start: JobStart) -> JobSummary:
        """Plan, generate, report."""
        if not self.progress.planned and not await self._plan():
            return self.summary
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
        if self._alone:
            self._alone.cancel()
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
        return True

    # --- a job of one item --------------------------------------------------------------------

    async def _generate_alone(self) -> None:
        cap = self.summary.cap_nano
        resumed = self.progress.alone
        self.progress.alone = resumed or GenerationState(account=Account(cap=cap), granted=cap)
        self._alone = Generation(self.place, 0, self.progress.alone, self._alone_changed)
        if not resumed:
            await self._alone.open()
        if self.progress.cancelled:
            self._alone.cancel()
        if not await self._alone.run():
            await self._continue_as_new()

    def _alone_changed(self) -> None:
        alone = self._alone
        if not alone:
            return
        if policies.history_is_long():
            alone.draining = True
        self.summary.ended = alone.progress
        if alone.starved:
            alone.exhaust()
        if self.progress.cancelled:
            self._become("cancelling")
        elif not alone.done:
            self._become("held" if alone.state.hold else "running")

    # --- a job of chunks ----------------------------------------------------------------------

    async def _generate_in_chunks(self) -> None:
        while True:
            self._wake = False
            await self._start_chunks()
            await self._forward_cancel()
            await self._share_money()
            self._publish()
            if not self.progress.lives and self._nothing_to_start():
                return
            if policies.history_is_long():
                await self._continue_as_new()
            await self._woken()
            await self._sweep()

    def _nothing_to_start(self) -> bool:
        return self.progress.cancelled or self.progress.next_chunk >= len(self.progress.chunks)

    async def _start_chunks(self) -> None:
        while not self._nothing_to_start() and len(self.progress.lives) < self.place.chunks_at_once:
            chunk = self.progress.next_chunk
            self.progress.next_chunk += 1
            await self._start_chunk(chunk, life=0)

    async def _start_chunk(self, chunk: int, *, life: int) -> None:
        planned = self.progress.chunks[chunk]
        share = -(-planned.maximum_nano * min(self.place.window, planned.items) // planned.items)
        granted = self.progress.leases.grant(chunk, share)
        self.progress.lives[chunk] = life
        self.progress.heard_at[chunk] = workflow.now()
        try:
            await workflow.start_child_workflow(
                CHUNK,
                ChunkStart(place=self.place, chunk=chunk, life=life, granted=granted),
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
        self.progress.leases.update(
            report.chunk,
            granted=report.granted,
            returned=report.returned,
            settled=report.progress.settled_nano,
            written_off=report.progress.written_off_nano,
        )
        if report.done:
            self._close(report, report.done)

    def _close(self, report: ChunkReport, facts: ChunkFacts) -> None:
        self.progress.leases.close(report.chunk)
        self._forget(report.chunk)
        self.progress.facts.append(facts)
        self.summary.ended.counts = self.summary.ended.counts.add(facts.counts)
        self.summary.ended.settled_nano += facts.settled_nano
        self.summary.ended.written_off_nano += facts.written_off_nano
        for model, cost in report.settled_by_model_nano.items():
            by_model = self.progress.settled_by_model_nano
            by_model[model] = by_model.get(model, 0) + cost

    def _forget(self, chunk: int) -> None:
        for known in (self.progress.reports, self.progress.lives, self.progress.heard_at):
            known.pop(chunk, None)
        self._cancel_sent.discard(chunk)
        self._exhaust_sent.discard(chunk)

    async def _forward_cancel(self) -> None:
        if not self.progress.cancelled:
            return
        for chunk in sorted(set(self.progress.lives) - self._cancel_sent):
            self._cancel_sent.add(chunk)
            await self._signal(chunk, CANCEL)

    # --- money --------------------------------------------------------------------------------

    async def _share_money(self) -> None:
        """Lease what is free to those who ask; when nobody can start anything, tell them so."""
        for chunk in sorted(self.progress.reports):
            report = self._fresh(chunk)
            if report and (missing := self._worth_granting(report)):
                granted = self.progress.leases.grant(chunk, missing)
                await self._signal(chunk, GRANT, GrantSignal(granted=granted))
        if self._all_starved():
            for chunk in sorted(set(self.progress.lives) - self._exhaust_sent):
                self._exhaust_sent.add(chunk)
                await self._signal(chunk, EXHAUST)

    def _fresh(self, chunk: int) -> ChunkReport | None:
        """What a chunk told after its last grant; None while a grant is on the way, or it has ended."""
        report, lease = self.progress.reports.get(chunk), self.progress.leases.chunks.get(chunk)
        return report if report and lease and report.granted == lease.granted else None

    def _worth_granting(self, report: ChunkReport) -> int:
        """What a chunk is missing; 0 where what is free of it would not be worth a signal.

        Who starves has returned all that it did not spend, so that one item's worth is the least that
        helps; the others can wait until a quarter of their wish is free.
        """
        missing = report.wanted - report.granted
        least = report.smallest if report.starved else max(1, missing // 4)
        return missing if missing > 0 and self.progress.leases.free >= least else 0

    def _all_starved(self) -> bool:
        """Every running chunk has returned what it held after its last grant, and no item fits."""
        reports = [self._fresh(chunk) for chunk in self.progress.lives]
        free = self.progress.leases.free
        return bool(reports) and all(
            report is not None and report.starved and report.smallest > free for report in reports
        )

    async def _signal(self, chunk: int, name: str, *arguments: GrantSignal) -> None:
        handle = workflow.get_external_workflow_handle(chunk_workflow_id(self.place.job, chunk))
        try:
            await handle.signal(name, *arguments)
        except TemporalError:
            # It has just ended: its last report is on the way, or the sweep finds it.
            workflow.logger.info("chunk has ended", extra={"chunk": chunk})

    # --- silent chunks ------------------------------------------------------------------------

    async def _woken(self) -> None:
        """Wait for news, or for a sweep's time."""
        try:
            await workflow.wait_condition(
                lambda: self._wake, timeout=timedelta(seconds=self.place.times.sweep)
            )
        except TimeoutError:
            pass
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
        lease = self.progress.leases.chunks[chunk]
        settled = lease.settled
        self.summary.ended.settled_nano += settled
        self.summary.ended.written_off_nano += lease.held - settled
        self.progress.leases.write_off(chunk)
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
                settled_by_model_nano=self.progress.settled_by_model_nano,
                records=list(self._alone.state.records.values()) if self._alone else None,
            ),
            result_type=Nothing,
            **policies.bookkeeping(self.place),
        )
        self._become(end)
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
