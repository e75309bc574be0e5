"""The job's side of its chunks: starts them, hears them, passes on what the job is told, finds the lost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import TemporalError, WorkflowAlreadyStartedError

from imagemill.domain.job import ChunkFacts, Progress, add_lines
from imagemill.domain.messages import (
    CANCEL,
    CHUNK,
    INSPECT_CHUNK,
    PAUSE_ITEMS,
    RESUME,
    SET_PRIORITY,
    STOP,
    WATCH,
    ChunkReport,
    ChunkStart,
    ChunkTask,
    InspectedChunk,
    JobProgress,
    PauseSignal,
    PlannedChunk,
    PrioritySignal,
    Watch,
    Workplace,
    chunk_workflow_id,
)
from workflows import policies
from workflows.generation import Generation
from workflows.leasing import Leasing
from workflows.single import tell_generation

QUARTERS_OF_CHUNKS = 20
"""A job of more chunks hears often enough how far it is; one of fewer asks each for its quarters."""


class Chunks:
    """What it knows of them is in ``progress``; ``alone`` is the item of a job that runs it itself."""

    def __init__(self, place: Workplace, progress: JobProgress, publish: Callable[[], None]) -> None:
        self.place = place
        self.progress = progress
        self.alone: Generation | None = None
        self.leasing = Leasing(place, progress, self.tell, publish)
        self._cancel_sent: set[int] = set()
        self._stop_sent: set[int] = set()
        self._pause_sent: set[int] = set()

    @property
    def _following(self) -> PlannedChunk:
        return self.progress.chunks[self.progress.next_chunk]

    @property
    def _chunks(self) -> list[int]:
        """Those that run; of a job that runs its item itself, that one."""
        return [0] if self.alone else sorted(self.progress.lives)

    def nothing_to_start(self) -> bool:
        """Has every chunk been started that ever will be?"""
        return self.progress.cancelled or self.progress.next_chunk >= len(self.progress.chunks)

    async def start(self) -> None:
        """Start as many as may run at once."""
        while (
            not self.nothing_to_start()
            and not self.progress.stopped
            and not self.progress.paused
            and not self.leasing.gives_back
            and len(self.progress.lives) < self.place.chunks_at_once
            and self.leasing.may_start(self._following)
        ):
            chunk = self.progress.next_chunk
            self.progress.next_chunk += 1
            await self._start_one(chunk, life=0)

    async def _start_one(self, chunk: int, *, life: int) -> None:
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
                    paused=self.progress.pauses if self.progress.paused else 0,
                    trust=self.leasing.known_trust(),
                    watched=self._watch(),
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

    def _watch(self) -> Watch | None:
        events = self.progress.telling.events
        if not events:
            return None
        few = len(self.progress.chunks) <= QUARTERS_OF_CHUNKS
        return Watch(quarters=few and "job.progress" in events)

    def take_in(self, report: ChunkReport) -> None:
        """A chunk tells its running totals; what is older than what is known says nothing."""
        known = self.progress.reports.get(report.chunk)
        if self.progress.lives.get(report.chunk) != report.life:
            return
        if known and known.sequence >= report.sequence:
            return
        self.progress.reports[report.chunk] = report
        self.progress.heard_at[report.chunk] = workflow.now()
        self.leasing.hear(report)
        self.stop_others(report)
        if report.done:
            self._close(report, report.done)

    def _close(self, report: ChunkReport, facts: ChunkFacts) -> None:
        self.leasing.close(report)
        self._forget(report.chunk)
        self.progress.facts.append(facts)
        self.progress.summary.ended.counts = self.progress.summary.ended.counts.add(facts.counts)
        self.progress.summary.ended.settled_nano += facts.settled_nano
        self.progress.summary.ended.written_off_nano += facts.written_off_nano
        self.progress.summary.ended.uncertain += report.progress.uncertain
        self.progress.lines = add_lines(self.progress.lines, report.lines)

    def _forget(self, chunk: int) -> None:
        for known in (self.progress.reports, self.progress.lives, self.progress.heard_at):
            known.pop(chunk, None)
        for sent in (self._cancel_sent, self._stop_sent, self._pause_sent):
            sent.discard(chunk)

    async def forward(self) -> None:
        """Pass on to the chunks what somebody has said to the job."""
        chunks = self._chunks
        if self.progress.cancelled:
            await self._tell_unsent(chunks, self._cancel_sent, CANCEL)
        for name, *arguments in self._due():
            for chunk in chunks:
                await self.tell(chunk, name, *arguments)
        if self.progress.paused:
            pause = PauseSignal(number=self.progress.pauses)
            await self._tell_unsent(chunks, self._pause_sent, PAUSE_ITEMS, pause)
        if self.progress.stopped:
            await self._tell_unsent(chunks, self._stop_sent, STOP, self.progress.stopped)

    def _due(self) -> list[tuple[Any, ...]]:
        """What all chunks are to be told once: signals, with their arguments."""
        due: list[tuple[Any, ...]] = []
        if self.progress.priority_due:
            due.append((SET_PRIORITY, PrioritySignal(priority=self.place.priority)))
        if self.progress.resume_due:
            due.append((RESUME,))
        if self.progress.watch_due and not self.alone:
            due.append((WATCH, self._watch() or Watch()))
            self.progress.watch_due = False
        self.progress.priority_due = self.progress.resume_due = False
        return due

    async def _tell_unsent(self, chunks: list[int], sent: set[int], name: str, *arguments: object) -> None:
        for chunk in chunks:
            if chunk not in sent:
                sent.add(chunk)
                await self.tell(chunk, name, *arguments)

    def resumed(self) -> None:
        """Somebody says to go on: a pause that comes after it is another one."""
        # A new set: the old pause may still be being told, which goes on to fill the old one.
        self._pause_sent = set()

    def set_priority(self, priority: int) -> None:
        """The chunks are to be told, those that run and those that start from now on."""
        self.place.priority = self.progress.summary.priority = priority
        self.progress.priority_due = True

    def all_paused(self) -> bool:
        """Have all chunks that run confirmed the pause that is on?"""
        reports = (self.progress.reports.get(chunk) for chunk in self._chunks)
        return all(report is not None and report.paused == self.progress.pauses for report in reports)

    def all_held(self) -> bool:
        """Have all chunks that run stopped by themselves, with nothing under way but probes?"""
        reports = [self.progress.reports.get(chunk) for chunk in self._chunks]
        return bool(reports) and all(report and _holds(report.progress) for report in reports)

    def stop_others(self, report: ChunkReport) -> None:
        """One chunk holds until it is told: so do the others."""
        hold, resumed = report.progress.hold, self.progress.resumed_at
        if not hold or hold.next_probe or self.progress.stopped or (resumed and hold.since <= resumed):
            return
        self.progress.stopped = hold
        self._stop_sent = {report.chunk}

    async def tell(self, chunk: int, name: str, *arguments: object) -> None:
        """A signal to a chunk, or a word to the item that this workflow runs itself."""
        if self.alone:
            tell_generation(self.alone, name, *arguments)
            return
        handle = workflow.get_external_workflow_handle(chunk_workflow_id(self.place.job, chunk))
        try:
            await handle.signal(name, args=list(arguments))
        except TemporalError:
            # It has just ended: its last report is on the way, or the sweep finds it.
            workflow.logger.info("chunk has ended", extra={"chunk": chunk})

    async def sweep(self) -> None:
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
                self.take_in(inspected.report)
            elif not inspected.running:
                await self._revive(chunk)

    async def _revive(self, chunk: int) -> None:
        """The chunk was ended from outside: count all that it held, and start it again.

        Its next life finds in the store what this one bought.
        """
        lease = self.leasing.vanished(chunk)
        lost = lease.held - lease.spend.settled
        self.progress.summary.ended.settled_nano += lease.spend.settled
        self.progress.summary.ended.written_off_nano += lost
        self.progress.summary.vanished_nano += lost
        life = self.progress.lives[chunk] + 1
        self._forget(chunk)
        await self._start_one(chunk, life=life)


def _holds(progress: Progress) -> bool:
    """Who waits to be told has nothing under way; who probes finds out by calls."""
    return progress.hold is not None and (progress.hold.next_probe is not None or not progress.running)
