"""imagemill.chunk: up to 500 items of a job, bought under a lease of the job's cap."""

import asyncio
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import TemporalError

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.budget import Account
    from imagemill.domain.job import ChunkFacts, Hold, Progress
    from imagemill.domain.messages import (
        CANCEL,
        CHUNK,
        CHUNK_REPORT,
        EXHAUST,
        GRANT,
        PAUSE_ITEMS,
        PROGRESS_MEMO,
        RECALL,
        RECORDS,
        RESUME,
        SET_PRIORITY,
        STOP,
        STORE_REFUSES,
        WATCH,
        WRITE_RESULTS,
        ChunkReport,
        ChunkStart,
        GenerationState,
        GrantSignal,
        PauseSignal,
        PrioritySignal,
        RecallSignal,
        RecordsAnswer,
        ResultsTask,
        StoreRefuses,
        Watch,
        WrittenResults,
    )
    from workflows import policies
    from workflows.generation import Generation

PUBLISH_SECONDS = 1.0
"""The least time between two updates of the memo, so that progress costs few events."""


@workflow.defn(name=CHUNK)
class ChunkWorkflow:
    """Buys its items, reports to its job by signals, and ends with one results file."""

    @workflow.init
    def __init__(self, start: ChunkStart) -> None:
        self.place = start.place
        self.chunk = start.chunk
        self.life = start.life
        self.sequence = start.sequence
        state = start.state or GenerationState(
            account=Account(cap=start.granted),
            granted=start.granted,
            recalls=start.recalls,
            paused=start.paused,
            trust=start.trust,
        )
        self.generation = Generation(start.place, start.chunk, state, self._notice, life=start.life)
        self._watched = start.watched
        self._told: tuple[object, ...] | None = None
        self._due = False
        self._silent = False
        self._published = Progress()
        self._published_at = 0.0

    @workflow.run
    async def run(self, start: ChunkStart) -> ChunkReport:
        """Open the plan, buy the items, write the results, report."""
        if start.state is None:
            await self.generation.open()
        reporting, speaking_up = (
            asyncio.create_task(self._keep_reporting()),
            asyncio.create_task(self._speak_up()),
        )
        drained = not await self.generation.run()
        written = None if drained else await self._write_results()
        speaking_up.cancel()
        self._silent = True
        await reporting
        if written is None:
            await self._continue_as_new()
        self._publish(self.generation.progress)
        final = self._report().model_copy(update={"done": self._facts(written), "lines": written.lines})
        await self._tell_job(final)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return final

    # --- from outside -------------------------------------------------------------------------

    @workflow.signal(name=GRANT)
    def grant(self, grant: GrantSignal) -> None:
        """The job leases more of its cap, and tells what is known of the maxima."""
        self.generation.learn(grant.trust)
        self.generation.grant(grant.granted)

    @workflow.signal(name=RECALL)
    def recall(self, recall: RecallSignal) -> None:
        """A cap was lowered: return what is not reserved."""
        self.generation.recall(recall)

    @workflow.signal(name=STOP)
    def stop(self, hold: Hold) -> None:
        """Buy nothing until told."""
        self.generation.stop(hold)

    @workflow.signal(name=PAUSE_ITEMS)
    def pause(self, pause: PauseSignal) -> None:
        """Somebody paused the job: start nothing until it is resumed."""
        self.generation.pause(pause)

    @workflow.signal(name=SET_PRIORITY)
    def set_priority(self, change: PrioritySignal) -> None:
        """The job has another priority."""
        self.generation.set_priority(change)

    @workflow.signal(name=RESUME)
    def resume(self) -> None:
        """Go on, whatever held it."""
        self.generation.resume()

    @workflow.signal(name=WATCH)
    def watch(self, watch: Watch) -> None:
        """Somebody is told by webhook from now on."""
        self._watched = watch
        self._due = True

    @workflow.signal(name=STORE_REFUSES)
    def store_refuses(self, told: StoreRefuses) -> None:
        """A worker can't store what it has bought for this chunk."""
        self.generation.store_refuses(told)

    @workflow.signal(name=EXHAUST)
    def exhaust(self) -> None:
        """The job has no more money, and no other chunk will return any."""
        self.generation.exhaust()

    @workflow.signal(name=CANCEL)
    def cancel(self) -> None:
        """Start nothing more; what is under way is finished and kept."""
        self.generation.cancel()

    @workflow.query(name=RECORDS)
    def records(self) -> RecordsAnswer:
        """The items that have ended or are under way."""
        return RecordsAnswer(records=list(self.generation.state.records.values()))

    # --- steps --------------------------------------------------------------------------------

    async def _write_results(self) -> WrittenResults:
        written: WrittenResults = await workflow.execute_activity(
            WRITE_RESULTS,
            ResultsTask(
                job=self.place.job,
                tenant=self.place.tenant,
                chunk=self.chunk,
                submitted_at=self.place.submitted_at,
                schedule=self.place.schedule,
            ),
            result_type=WrittenResults,
            **policies.bookkeeping(self.place),
        )
        return written

    async def _continue_as_new(self) -> NoReturn:
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            ChunkStart(
                place=self.place,
                chunk=self.chunk,
                life=self.life,
                sequence=self.sequence,
                watched=self._watched,
                state=self.generation.state,
            ),
            # A new run has the memo that the first one was started with, unless it is given another.
            memo={PROGRESS_MEMO: self.generation.progress},
        )

    # --- telling ------------------------------------------------------------------------------

    def _notice(self) -> None:
        """Something changed: keep the memo fresh, and see whether the job needs to hear of it."""
        if policies.history_is_long():
            self.generation.draining = True
        self._due = self._due or self._worth_telling()
        progress = self.generation.progress
        stale = workflow.time() - self._published_at >= PUBLISH_SECONDS
        if progress != self._published and (stale or self._due):
            self._publish(progress)

    def _publish(self, progress: Progress) -> None:
        self._published, self._published_at = progress, workflow.time()
        workflow.upsert_memo({PROGRESS_MEMO: progress.model_copy()})
        workflow.set_current_details(
            f"{progress.counts.terminal} of {len(self.generation.state.maxima)} items ended, "
            f"{progress.running} under way, {progress.settled_nano} nano-dollars settled"
        )

    def _worth_telling(self) -> bool:
        """Only what the job acts on: asking, starving, holding, a cancellation that is confirmed."""
        return self._gist() != self._told

    def _gist(self) -> tuple[object, ...]:
        state = self.generation.state
        if not self._watched or not self._watched.quarters or not state.maxima:
            return self.generation.gist
        return (*self.generation.gist, self.generation.progress.counts.terminal * 4 // len(state.maxima))

    async def _keep_reporting(self) -> None:
        """Ends by a flag: a cancellation that meets a signal's answer is lost, and a word follows the end."""
        while True:
            await workflow.wait_condition(lambda: self._due or self._silent)
            if self._silent:
                return
            self._due = False
            self._told = self._gist()
            report = self._report()
            if self._watched and report.progress != self._published:
                self._publish(report.progress)
            await self._tell_job(report)

    async def _speak_up(self) -> None:
        """Tell now and then, even if there is no news: a job that is gone will not be there to hear it."""
        while True:
            await workflow.sleep(self.place.times.sweep / 2)
            self._due = True

    async def _tell_job(self, report: ChunkReport) -> None:
        job = workflow.get_external_workflow_handle(self.place.job)
        try:
            await job.signal(CHUNK_REPORT, report)
        except TemporalError:
            # The job is gone: nobody will lease this chunk more. What is under way is kept.
            self.generation.cancel()

    def _report(self) -> ChunkReport:
        self.sequence += 1
        return self.generation.report(self.sequence)

    def _facts(self, written: WrittenResults) -> ChunkFacts:
        state = self.generation.state
        return ChunkFacts(
            chunk=self.chunk,
            items=len(state.maxima),
            results_sha256=written.sha256,
            counts=state.counts,
            settled_nano=state.account.settled,
            written_off_nano=state.account.written_off,
        )
