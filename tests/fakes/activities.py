"""Activities that do as they are told: each test scripts what the calls of each item bring.

They keep a ledger of their own, which the workflows never read: what the calls under way can cost at
most, and what was spent. A call whose outcome is unknown counts as spent in full until it is found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.sealed import seal
from imagemill.domain.errors import CallError
from imagemill.domain.item import CallRecord, ImageFacts, ItemRecord
from imagemill.domain.messages import (
    GENERATE,
    INSPECT_CHUNK,
    LOOK,
    OPEN_ACCOUNT,
    OPEN_CHUNK,
    PLAN,
    RECONCILE,
    RECORDS,
    REPORT,
    RESTORE_ACCOUNT,
    SAVE_ACCOUNT,
    WRITE_RESULTS,
    AccountTask,
    ChunkTask,
    Found,
    ImageOutcome,
    ImageTask,
    InspectedChunk,
    Nothing,
    OpenAccountTask,
    OpenedChunk,
    Plan,
    PlannedChunk,
    PlanTask,
    Reconciled,
    ReconcileTask,
    RecordsAnswer,
    ReportTask,
    Restored,
    ResultsTask,
    SaveTask,
    WrittenResults,
    chunk_workflow_id,
)
from imagemill.domain.tenant import TenantAccount, job_of
from imagemill.domain.webhook_messages import EMIT, EmitTask
from imagemill.domain.webhooks import Notice

PICTURE = ImageFacts(sha256="ab" * 32, bytes=900, width=32, height=32, format="png")


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt at one item."""

    chunk: int
    index: int
    reservation: str
    attempt: int
    queue: str
    look_first: bool
    maximum: int
    insists: bool = False

    @property
    def item(self) -> tuple[int, int]:
        return self.chunk, self.index


Step = Callable[[Call], Awaitable[ImageOutcome]]
"""What one call brings: an outcome, or the failure that it raises."""


@dataclass(slots=True)
class Ledger:
    """What the provider would have billed, at most."""

    under_way: dict[str, int] = field(default_factory=dict)
    spent: int = 0
    peak: int = 0

    def start(self, call: Call) -> None:
        self.under_way[call.reservation] = call.maximum
        self.peak = max(self.peak, self.spent + sum(self.under_way.values()))

    def end(self, call: Call, cost: int) -> None:
        self.under_way.pop(call.reservation, None)
        self.spent += cost


@dataclass
class FakeActivities:
    """Registered under the real names; ``maxima`` holds what each item of each chunk costs at most.

    ``script`` holds the steps of an item's calls, in turn; an item without one, or at the end of its
    own, is bought at its maximum.
    """

    maxima: Sequence[Sequence[int]]
    script: dict[tuple[int, int], list[Step]] = field(default_factory=dict)
    plan: Plan | None = None
    models: Sequence[str] = ("m",)
    """The models of the items of every chunk, taken in turn."""
    queues: Sequence[Sequence[str]] = ()
    """For each model the queues of its pools."""
    uncertain: Sequence[str] = ()
    expected: int = 1
    """What each item is expected to cost."""
    reused: set[tuple[int, int]] = field(default_factory=set)
    """Items that an earlier item's images answer; their maximum should be 0."""
    gone: set[int] = field(default_factory=set)
    """Chunks of which the engine would say, once, that they ended without a word."""
    stored: dict[tuple[int, int], CallRecord] = field(default_factory=dict)
    appears_at_look: dict[tuple[int, int], int] = field(default_factory=dict)
    """The look, counted from 1, at which the image of a lost call turns up."""
    found_cost: int = 7
    calls: list[Call] = field(default_factory=list)
    looks: list[tuple[int, int]] = field(default_factory=list)
    reports: list[ReportTask] = field(default_factory=list)
    results: dict[int, list[ItemRecord]] = field(default_factory=dict)
    opened: list[ChunkTask] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    saved: list[TenantAccount] = field(default_factory=list)
    vanished: dict[str, Reconciled] = field(default_factory=dict)
    """What is found of jobs that ended without a word."""
    reopened: list[OpenAccountTask] = field(default_factory=list)
    """Asks that found no account to hear them."""
    told: list[Notice] = field(default_factory=list)
    """Events, in the order in which they were told."""
    hears: Callable[[Notice], Awaitable[None]] | None = None
    """What is done before an event is taken in."""

    @property
    def bookkeeping(self) -> list[Callable[..., Any]]:
        return [
            self.do_plan, self.open, self.look, self.write, self.inspect, self.report,
            self.open_account, self.restore_account, self.save_account, self.reconcile,
            self.emit,
        ]  # fmt: skip

    def calls_of(self, chunk: int, index: int) -> list[Call]:
        return [call for call in self.calls if call.item == (chunk, index)]

    @activity.defn(name=PLAN)
    async def do_plan(self, task: PlanTask) -> Plan:
        chunks = [
            PlannedChunk(
                items=len(items),
                maximum_nano=sum(items),
                expected_nano=len(items) * self.expected,
                uncertain=list(self.uncertain),
                reused=sum((number, index) in self.reused for index in range(len(items))),
            )
            for number, items in enumerate(self.maxima)
        ]
        return self.plan or Plan(chunks=chunks, items=sum(chunk.items for chunk in chunks))

    @activity.defn(name=OPEN_CHUNK)
    async def open(self, task: ChunkTask) -> OpenedChunk:
        self.opened.append(task)
        maxima = list(self.maxima[task.chunk])
        opened = OpenedChunk(
            maxima_nano=maxima,
            expected_nano=[self.expected] * len(maxima),
            models=list(self.models),
            model_of=[index % len(self.models) for index in range(len(maxima))],
            uncertain=list(self.uncertain),
            queues=[list(queues) for queues in self.queues],
        )
        if task.recover:
            opened.records = [
                ItemRecord(index=index, state="succeeded", call=call)
                for (chunk, index), call in sorted(self.stored.items())
                if chunk == task.chunk
            ]
        opened.records += [
            ItemRecord(index=index, state="succeeded", reused=True)
            for chunk, index in sorted(self.reused)
            if chunk == task.chunk
        ]
        return opened

    @activity.defn(name=GENERATE)
    async def generate(self, task: ImageTask) -> ImageOutcome:
        call = self._call(task)
        self.calls.append(call)
        self.ledger.start(call)
        cost = call.maximum
        try:
            outcome = await self._step(call)(call)
            cost = call.maximum if outcome.write_off else outcome.paid_nano or 0
            if outcome.call:
                self.stored[call.item] = outcome.call
            return outcome
        except CallError as error:
            failure = seal(error, paid=True)
            cost = call.maximum if failure.type == "OutcomeUnknown" else 0
            raise failure from None
        except Cancelled:
            cost = 0
            raise asyncio.CancelledError from None
        finally:
            self.ledger.end(call, cost)

    @activity.defn(name=LOOK)
    async def look(self, task: ImageTask) -> Found:
        item = (task.chunk, task.index)
        self.looks.append(item)
        if self.appears_at_look.get(item) == self.looks.count(item):
            self.stored[item] = record(self.calls_of(*item)[-1].reservation, self.found_cost)
        return Found(call=self.stored.get(item))

    @activity.defn(name=WRITE_RESULTS)
    async def write(self, task: ResultsTask) -> WrittenResults:
        chunk = activity.client().get_workflow_handle(chunk_workflow_id(task.job, task.chunk))
        answer = await chunk.query(RECORDS, result_type=RecordsAnswer)
        self.results[task.chunk] = sorted(answer.records, key=lambda record: record.index)
        return WrittenResults(sha256="cd" * 32)

    @activity.defn(name=INSPECT_CHUNK)
    async def inspect(self, task: ChunkTask) -> InspectedChunk:
        running = task.chunk not in self.gone
        self.gone.discard(task.chunk)
        return InspectedChunk(running=running)

    @activity.defn(name=REPORT)
    async def report(self, task: ReportTask) -> Nothing:
        self.reports.append(task)
        if task.records is not None:
            self.results[0] = task.records
        return Nothing()

    @activity.defn(name=OPEN_ACCOUNT)
    async def open_account(self, task: OpenAccountTask) -> Nothing:
        self.reopened.append(task)
        return Nothing()

    @activity.defn(name=RESTORE_ACCOUNT)
    async def restore_account(self, task: AccountTask) -> Restored:
        return Restored(account=self.saved[-1] if self.saved else None)

    @activity.defn(name=SAVE_ACCOUNT)
    async def save_account(self, task: SaveTask) -> Nothing:
        self.saved.append(task.account)
        return Nothing()

    @activity.defn(name=RECONCILE)
    async def reconcile(self, task: ReconcileTask) -> Reconciled:
        return self.vanished.get(job_of(task.holder), Reconciled())

    @activity.defn(name=EMIT)
    async def emit(self, task: EmitTask) -> Nothing:
        if self.hears:
            await self.hears(task.notice)
        self.told.append(task.notice)
        return Nothing()

    def _call(self, task: ImageTask) -> Call:
        info = activity.info()
        return Call(
            chunk=task.chunk,
            index=task.index,
            reservation=task.reservation,
            attempt=info.attempt,
            queue=info.task_queue,
            look_first=task.look_first,
            maximum=self.maxima[task.chunk][task.index],
            insists=task.insists,
        )

    def _step(self, call: Call) -> Step:
        steps = self.script.get(call.item)
        return steps.pop(0) if steps else bought()


class Cancelled(Exception):
    """The call was cancelled before anything was sent."""


def record(reservation: str, cost: int) -> CallRecord:
    return CallRecord(
        reservation=reservation, call=f"call-{reservation}", model="m", images=[PICTURE], cost_nano=cost
    )


def bought(cost: int | None = None) -> Step:
    """Images, at this cost; at the maximum without one."""

    async def step(call: Call) -> ImageOutcome:
        paid = call.maximum if cost is None else cost
        return ImageOutcome(kind="stored", paid_nano=paid, call=record(call.reservation, paid))

    return step


def answers(outcome: ImageOutcome) -> Step:
    """This outcome."""

    async def step(call: Call) -> ImageOutcome:
        return outcome

    return step


def fails(error: Exception) -> Step:
    """This failure."""

    async def step(call: Call) -> ImageOutcome:
        raise error

    return step


def account(code: str = "insufficient_quota") -> Step:
    """The provider account is in trouble."""
    return answers(ImageOutcome(kind="account", code=code))


def bug() -> Step:
    """A failure that no policy knows."""
    return fails(ApplicationError("nobody foresaw it", type="Surprise", non_retryable=True))


def silent() -> Step:
    """The worker is not heard of again."""

    async def step(call: Call) -> ImageOutcome:
        await asyncio.Event().wait()
        raise AssertionError("it has no end")

    return step


def beating() -> Step:
    """The worker lives, and the call has no end."""

    async def step(call: Call) -> ImageOutcome:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.1)

    return step


def when(gate: asyncio.Event, then: Step | None = None) -> Step:
    """It was sent: whatever comes, it ends when the gate opens."""

    async def step(call: Call) -> ImageOutcome:
        opening = asyncio.create_task(gate.wait())
        while not opening.done():
            activity.heartbeat()
            try:
                await asyncio.wait({opening}, timeout=0.1)
            except asyncio.CancelledError:
                continue
        return await (then or bought())(call)

    return step


def until_cancelled() -> Step:
    """It was not sent yet: a cancellation ends it."""

    async def step(call: Call) -> ImageOutcome:
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            raise Cancelled from None

    return step
