"""The items of one chunk, bought under one lease: shared by chunks and by jobs of a single item.

Each item goes round this way until it has an end state:

1. reserve the most that its call can cost; no reservation, no call;
2. buy it in one activity, which looks in the store first wherever it may have been bought before;
3. settle, release or write off; what can't be known is looked for in the store before it is bought again.
"""

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

from imagemill.domain.item import CallRecord, ItemRecord, ItemState
from imagemill.domain.job import Hold, Progress
from imagemill.domain.messages import (
    GENERATE,
    LOOK,
    OPEN_CHUNK,
    ChunkReport,
    ChunkTask,
    Found,
    GenerationState,
    ImageOutcome,
    ImageTask,
    OpenedChunk,
    PauseSignal,
    PrioritySignal,
    RecallSignal,
    StoreRefuses,
    Workplace,
)
from imagemill.domain.trust import Trust
from workflows import failures, policies
from workflows.bookkeeping import Bookkeeping
from workflows.trouble import Trouble

STRIKES = 3
"""An item is given up after this many unknown outcomes: bought once, and again at most twice."""

RUN_SIGNS = 8
"""So much of a run's id, from its end, tells it from another one of the same workflow."""


class Generation:
    """Runs the items of one chunk; its whole memory is ``state``."""

    def __init__(
        self,
        place: Workplace,
        chunk: int,
        state: GenerationState,
        on_change: Callable[[], None],
        *,
        life: int = 0,
    ) -> None:
        self.place = place
        self.chunk = chunk
        self.state = state
        self.books = Bookkeeping(state)
        self.trouble = Trouble(place, state)
        self.draining = False
        self._on_change = on_change
        self._wake = False
        self._life = life
        self._bug: Exception | None = None
        self._running: dict[int, asyncio.Task[None]] = {}
        self._calls: dict[int, workflow.ActivityHandle[ImageOutcome]] = {}
        info = workflow.info()
        self._run = info.run_id
        self._first_run = (
            life == 0 and info.run_id == info.first_execution_run_id == info.original_execution_run_id
        )

    # --- what others tell it ------------------------------------------------------------------

    def grant(self, granted: int) -> None:
        """Take in what was granted in all, ever."""
        if granted > self.state.granted:
            self.state.granted = granted
            self.state.account.cap = granted - self.state.returned
            self.wake()

    def learn(self, trust: dict[str, Trust]) -> None:
        """Take in what other chunks have found out about the maxima of models."""
        for model, known in trust.items():
            self.state.trust.setdefault(model, Trust()).learn(known)
        self.books.refresh()
        self.wake()

    def recall(self, recall: RecallSignal) -> None:
        """Return all that is not reserved, and ask for it anew; what was sent already is finished."""
        if recall.number <= self.state.recalls:
            return
        self.state.recalls = recall.number
        self._return_all_but(0)
        if recall.calls:
            self._call_off()
        self.wake()

    def stop(self, hold: Hold) -> None:
        """Buy nothing until told."""
        self.state.hold = hold
        self._call_off()
        self._return_all_but(0)
        self.wake()

    def pause(self, pause: PauseSignal) -> None:
        """Start nothing until told; what was sent already is finished."""
        self.state.paused = pause.number
        self._call_off()
        self._return_all_but(0)
        self.wake()

    def store_refuses(self, told: StoreRefuses) -> None:
        """What was bought waits in a worker until somebody mends the store: buy no more."""
        self.trouble.store_refuses(told.wait)
        self.wake()

    def set_priority(self, change: PrioritySignal) -> None:
        """Calls that wait in the queue go back in line, to wait with the new priority."""
        self.place.priority = change.priority
        self._call_off()

    def resume(self) -> None:
        """Go on, whatever stopped it: where that was the provider, by trying one item."""
        self.state.paused = 0
        self.trouble.resume()
        self.wake()

    def exhaust(self) -> None:
        """There will be no more money: skip what can't be paid."""
        self.state.exhausted = True
        self.wake()

    def cancel(self) -> None:
        """Start nothing more; finish what is under way."""
        self.state.cancelled = True
        self._call_off()
        self.wake()

    def _call_off(self) -> None:
        """Take back the calls that were not made yet; what was sent is finished, and comes as a result."""
        for call in self._calls.values():
            call.cancel()

    def wake(self) -> None:
        """Look again at what can be started."""
        self._wake = True

    # --- what it tells others -----------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Has every item its end state?"""
        return not self.state.pending and not self._running

    @property
    def starved(self) -> bool:
        """Nothing is under way, and only money is missing."""
        state = self.state
        waits = bool(state.pending) and not self._running and not self._on_hold()
        return (
            waits and not state.exhausted and not state.cancelled and self.smallest > state.account.available
        )

    @property
    def smallest(self) -> int:
        """What the cheapest waiting item needs; 0 if none waits."""
        return min(map(self.books.needs, self.state.pending), default=0)

    @property
    def wanted(self) -> int:
        """What it would like to have been granted in all: asked for when half a window is left."""
        state = self.state
        if state.exhausted or self._stopped:
            return state.granted
        ahead = [self.smallest] if state.hold else self._ahead()
        if state.account.available >= sum(ahead[: (len(ahead) + 1) // 2]):
            return state.granted
        return state.granted + sum(ahead) - state.account.available

    def _ahead(self) -> list[int]:
        """What the items of the next window need."""
        return [self.books.needs(index) for index in self.state.pending[: self.place.window]]

    @property
    def progress(self) -> Progress:
        """The running totals."""
        account = self.state.account
        return Progress(
            counts=self.state.counts.model_copy(),
            running=len(self._running),
            settled_nano=account.settled,
            written_off_nano=account.written_off,
            reserved_nano=sum(account.reserved.values()),
            uncertain=len(self.state.uncertain),
            hold=self.state.hold,
            confirmed_cancel=self.state.cancelled and not self._calls,
        )

    @property
    def _stopped(self) -> bool:
        """Was it told to start nothing until it hears otherwise?"""
        state = self.state
        return bool(state.cancelled or state.paused or (state.hold and not state.hold.next_probe))

    def report(self, sequence: int) -> ChunkReport:
        """What the job needs to know."""
        state = self.state
        return ChunkReport(
            chunk=self.chunk,
            life=self._life,
            sequence=sequence,
            progress=self.progress,
            granted=state.granted,
            returned=state.returned,
            wanted=self.wanted,
            smallest=self.smallest,
            starved=self.starved,
            pending_nano=self.books.pending_nano(),
            recalls=state.recalls,
            paused=0 if self._calls else state.paused,
            spent=state.account.spent,
            trust=state.trust,
        )

    @property
    def gist(self) -> tuple[object, ...]:
        """What the job acts on; it is told when this changes."""
        state = self.state
        return (
            state.granted,
            self.wanted > state.granted,
            self.starved,
            state.returned,
            state.recalls,
            state.hold and state.hold.code,
            state.paused,
            self._stopped and not self._calls,
            [(trust.permille, trust.proven) for trust in state.trust.values()],
        )

    # --- the story ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Learn what the items cost at most, and what an earlier life of this chunk has bought.

        That one's calls may still be under way: what they bring is in the store once their deadline
        has passed.
        """
        if self._life > 0:
            await workflow.sleep(self.place.times.call_deadline)
        opened = await workflow.execute_activity(
            OPEN_CHUNK,
            ChunkTask(
                job=self.place.job,
                tenant=self.place.tenant,
                chunk=self.chunk,
                pools=self.place.pools,
                recover=self._life > 0,
            ),
            result_type=OpenedChunk,
            **policies.bookkeeping(self.place),
        )
        state = self.state
        state.maxima, state.expected = opened.maxima_nano, opened.expected_nano
        state.models, state.model_of, state.queues = opened.models, opened.model_of, opened.queues
        for model in opened.uncertain:
            state.trust.setdefault(model, Trust()).uncertain = True
        self.books.refresh()
        for record in opened.records:
            self.books.end(record, record.state)
        for index, maximum in enumerate(opened.maxima_nano):
            if maximum < 0:
                self.books.end(ItemRecord(index=index, code="invalid_row"), "failed")
            elif index not in state.records:
                state.pending.append(index)

    async def run(self) -> bool:
        """Buy until every item has its end state. False: drained, to be continued as new."""
        while True:
            self._wake = False
            self._start_what_fits()
            self._on_change()
            if self._bug:
                raise self._bug
            if self.done:
                return True
            if self.draining and not self._running:
                return False
            await self._wait()

    async def _wait(self) -> None:
        hold = self.state.hold
        patience = None
        if hold and hold.next_probe and not self._running and hold.next_probe > workflow.now():
            patience = hold.next_probe - workflow.now()
        try:
            await workflow.wait_condition(lambda: self._wake, timeout=patience)
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            # An operator cancelled the workflow itself: the same as the cancel signal.
            self.cancel()

    def _start_what_fits(self) -> None:
        state = self.state
        if state.cancelled:
            self._end_pending("cancelled", "cancelled")
        if self.draining or self._on_hold():
            self._return_while_held()
            return
        waiting = list(state.pending)
        for index in waiting:
            if len(self._running) >= (1 if state.hold else self.place.window):
                break
            if self._may_start(index):
                state.pending.remove(index)
                self._start(index)
        if state.exhausted and not self._running:
            self._end_pending("skipped", "budget_exhausted")
        if self.starved:
            self._return_all_but(0)

    def _return_while_held(self) -> None:
        """What is stopped needs no money but for calls under way; what is held, for one probe at most."""
        if self._stopped:
            self._return_all_but(0)
        elif self.state.hold and not self._running:
            self._return_all_but(self.smallest)

    def _may_start(self, index: int) -> bool:
        """Is there money for it, and is its model trusted with one more call at once?"""
        books = self.books
        if books.needs(index) > self.state.account.available:
            return False
        trust = books.trust(index)
        if not trust.uncertain:
            return True
        under_way = sum(books.model(other) == books.model(index) for other in self._running)
        return under_way < trust.at_once(self.place.window)

    def _on_hold(self) -> bool:
        hold = self.state.hold
        if self.state.paused:
            return True
        if not hold:
            return False
        if hold.next_probe is None:
            return True
        return bool(self._running) or workflow.now() < hold.next_probe

    def _return_all_but(self, kept: int) -> None:
        """What is not reserved is free for others, but for so much."""
        account = self.state.account
        self.state.returned += max(0, account.available - kept)
        account.cap = self.state.granted - self.state.returned

    def _start(self, index: int) -> None:
        record = self.state.records.setdefault(index, ItemRecord(index=index, state="running"))
        # The run is part of the name: a run that an operator has reset must not spend a reservation twice.
        number = len(record.attempts) + record.taken_back + 1
        reservation = f"{self._run[-RUN_SIGNS:]}-{self.chunk}-{index}-{number}"
        self.books.reserve(index, reservation)
        self._running[index] = asyncio.create_task(self._generate(index, reservation))

    async def _generate(self, index: int, reservation: str) -> None:
        try:
            await self._buy(index, reservation)
        except Exception as bug:  # noqa: BLE001
            # Raised by the story itself, where it fails the workflow task until the code is mended.
            self._bug = bug
        finally:
            self._calls.pop(index, None)
            self._running.pop(index, None)
            self.wake()

    async def _buy(self, index: int, reservation: str) -> None:
        call = workflow.start_activity(
            GENERATE,
            self._task(index, reservation),
            result_type=ImageOutcome,
            **policies.paid_call(self.place, self.trouble.queue(index)),
        )
        self._calls[index] = call
        self.state.insists = False
        try:
            outcome = await call
        except ActivityError as error:
            self._calls.pop(index, None)
            await self._after_failure(index, reservation, error)
        else:
            self._after_outcome(index, reservation, outcome)

    def _task(self, index: int, reservation: str) -> ImageTask:
        return ImageTask(
            job=self.place.job,
            tenant=self.place.tenant,
            chunk=self.chunk,
            index=index,
            reservation=reservation,
            run=self._run[-RUN_SIGNS:],
            look_first=not self._first_run or bool(self.state.records[index].attempts),
            insists=self.state.insists,
            times=self.place.times,
        )

    def _after_outcome(self, index: int, reservation: str, outcome: ImageOutcome) -> None:
        record = self.state.records[index]
        self.books.outcome(record, reservation, outcome)
        if outcome.kind == "account":
            self._again(index)
            self.trouble.account(index, outcome)
            return
        record.warnings += outcome.warnings
        if outcome.call:
            self.trouble.succeeded(index)
            self._succeed(record, outcome.call)
        else:
            if outcome.called:
                self.trouble.refused(index, outcome.code)
            record.code, record.where = outcome.code, outcome.where
            self.books.end(record, "blocked" if outcome.blocked else "failed")

    async def _after_failure(self, index: int, reservation: str, error: ActivityError) -> None:
        record = self.state.records[index]
        loss = failures.loss(error)
        if loss == "not_started":
            self.books.release(record, reservation)
            self._again(index)
            return
        self.books.write_off(record, reservation, error)
        if loss == "told":
            self.trouble.unknown(index)
        self._on_change()
        found = await self._look(index) if loss == "lost" else None
        if found:
            self._succeed(record, found)
        else:
            self._strike(index, loss)

    def _succeed(self, record: ItemRecord, call: CallRecord) -> None:
        self.books.recover(record, call, foreign=self._life == 0)
        self.books.end(record, "succeeded")

    async def _look(self, index: int) -> CallRecord | None:
        """Look for the images of a lost call until its deadline has surely passed."""
        task = self._task(index, reservation="")
        for wait in [0.0, *policies.look_waits(self.place.times)]:
            if wait:
                await workflow.sleep(wait)
            found: Found = await workflow.execute_activity(
                LOOK, task, result_type=Found, **policies.bookkeeping(self.place)
            )
            if found.call:
                self.state.records[index].warnings += found.warnings
                return found.call
        return None

    def _strike(self, index: int, loss: failures.Loss) -> None:
        """Count an unknown outcome, and buy the item again or give it up.

        A worker's death may be the item's fault or its neighbour's: its next tries go to quarantine,
        where it is alone.
        """
        state = self.state
        state.strikes[index] = state.strikes.get(index, 0) + 1
        if loss == "lost":
            state.quarantined.add(index)
        if self.place.on_unknown != "skip" and state.strikes[index] < STRIKES:
            self._again(index)
            if self.place.on_unknown == "hold":
                self.stop(Hold(code="unknown_outcomes", since=workflow.now()))
            return
        record = state.records[index]
        record.code = "unknown_outcome"
        self.books.end(record, "failed")

    def _again(self, index: int) -> None:
        self.state.records[index].state = "pending"
        self.state.pending.insert(0, index)

    def _end_pending(self, end: ItemState, code: str) -> None:
        for index in self.state.pending:
            record = self.state.records.get(index) or ItemRecord(index=index)
            record.code = code
            self.books.end(record, end)
        self.state.pending = []
