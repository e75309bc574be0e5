"""Defects to plant: each breaks one promise in a few lines, as somebody might by mistake.

They are there to try the checker: a run of the machine with one of them must end with an objection.
"""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import structlog
from temporalio import workflow

from activities import books
from activities.books import Books
from activities.image import Images
from api import status, submission
from api.items import Items
from imagemill.domain.budget import Account
from imagemill.domain.item import ItemResult
from imagemill.domain.job import Counts, JobSummary
from imagemill.domain.messages import ChunkReport, PauseSignal
from imagemill.engine import TemporalEngine
from imagemill.pacing.gate import Gate
from imagemill.providers import classify, limits, openai_images
from imagemill.storage.s3 import S3Store, encode_metadata
from imagemill.webhooks import sender
from tests.chaos.programs.patching import Function, around
from workflows.generation import Generation
from workflows.job import JobWorkflow

Part = Literal["worker", "api"]
log = structlog.get_logger()
READING_SECONDS = 2.0
"""So long the report stays unwritten whose event was told already: a receiver reads sooner."""
STARTING_SECONDS = 8.0
"""So long after its answer a job is started: time to lose the process that owes it."""


@dataclass(frozen=True, slots=True)
class Defect:
    """Something wrong with a part of the service.

    Attributes:
        part: which program has it.
        breaks: the promises that a run with it breaks; at least one of them must be objected to.
        plant: does it, in this process.
    """

    part: Part
    breaks: frozenset[str]
    plant: Callable[[], None]


DEFECTS: dict[str, Defect] = {}


def plant(names: str, part: Part) -> None:
    """Make this process a defective one; several defects are named with commas between them.

    Raises:
        ValueError: this part has no such defect.
    """
    own = {name: defect for name, defect in DEFECTS.items() if defect.part == part}
    for name in names.split(","):
        if name not in own:
            raise ValueError(f"no defect {name} of the {part}; there are {', '.join(sorted(own))}")
        own[name].plant()


def defect(name: str, part: Part, *breaks: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def add(does: Callable[[], None]) -> Callable[[], None]:
        DEFECTS[name] = Defect(part, frozenset(breaks), does)
        return does

    return add


# --- the paid call -------------------------------------------------------------------------------


@defect("sdk-retries", "worker", "I4", "I7")
def sdk_retries() -> None:
    """The SDK sends again what failed, under one reservation."""

    def make(original: Function) -> Function:
        return lambda *args: original(*args).with_options(max_retries=2)

    around(openai_images, "sdk_client", make)


@defect("cap-after-call", "worker", "I2")
def cap_after_call() -> None:
    """Whether there is money is seen only when the call is paid: a reservation takes what it needs."""

    def reserve(self: Account, reservation: str, amount: int) -> None:
        self.reserved[reservation] = amount

    around(Account, "reserve", lambda _: reserve)
    around(Generation, "_may_start", lambda _: lambda *_: True)


@defect("no-conditional-put", "worker", "I3", "I7")
def no_conditional_put() -> None:
    """An image is put over what lies under its name."""

    def make(original: Function) -> Function:
        async def put_new(self: S3Store, key: str, data: bytes, **said: Any) -> None:
            if not said.get("content_type", "").startswith("image/"):
                await original(self, key, data, **said)
                return
            metadata = encode_metadata(said.pop("metadata", None) or {})
            call: Any = {"ContentType": said["content_type"], "Metadata": metadata}
            await self._run(lambda: self._client.put_object(Bucket=self.bucket, Key=key, Body=data, **call))

        return put_new

    around(S3Store, "put_new", make)


@defect("unknown-is-free", "worker", "I4")
def unknown_is_free() -> None:
    """A call of unknown outcome is taken for one that was not billed."""

    def make(_: Function) -> Function:
        return lambda self, reservation, _model: self.release(reservation)

    around(Account, "write_off", make)


@defect("buys-after-pause", "worker", "I8")
def buys_after_pause() -> None:
    """A pause is confirmed, and work goes on: only the chunk's number of it is kept."""

    def pause(self: Generation, pause: PauseSignal) -> None:
        self.state.paused = pause.number
        self.wake()

    def on_hold(original: Function) -> Function:
        def without_pause(self: Generation) -> bool:
            paused, self.state.paused = self.state.paused, 0
            try:
                return bool(original(self))
            finally:
                self.state.paused = paused

        return without_pause

    def confirms(original: Function) -> Function:
        def report(self: Generation, sequence: int) -> ChunkReport:
            told: ChunkReport = original(self, sequence)
            return told.model_copy(update={"paused": self.state.paused})

        return report

    around(Generation, "pause", lambda _: pause)
    around(Generation, "_on_hold", on_hold)
    around(Generation, "report", confirms)


@defect("ignores-retry-after", "worker", "I16")
def ignores_retry_after() -> None:
    """A 429 is tried again at once, whatever it says."""
    around(Gate, "_back_off", lambda _: lambda *_: None)
    for module in (classify, limits):
        around(module, "retry_after", lambda _: lambda *_: 0.0)


@defect("prompt-in-log", "worker", "I13")
def prompt_in_log() -> None:
    """Somebody wanted to see what is bought."""

    def make(original: Function) -> Function:
        async def call(self: Images, request: Any, *args: Any) -> Any:
            log.info("buying", model=request.model, prompt=request.prompt)
            return await original(self, request, *args)

        return call

    around(Images, "_call", make)


# --- results and counts --------------------------------------------------------------------------


@defect("dropped-result", "worker", "I1")
def dropped_result() -> None:
    """The last line of a chunk's results is missing."""
    around(books, "to_lines", lambda original: lambda results: original(results[:-1]))


@defect("swapped-images", "worker", "I3")
def swapped_images() -> None:
    """Two items of a chunk have each other's images."""

    def make(original: Function) -> Function:
        def swapped(results: list[ItemResult]) -> Any:
            whole = [result for result in results if result.images]
            for one, other in itertools.islice(itertools.pairwise(whole), 1):
                one.images, other.images = other.images, one.images
            return original(results)

        return swapped

    around(books, "to_lines", make)


@defect("double-count", "worker", "I1", "I11")
def double_count() -> None:
    """Every end is counted twice."""

    def make(original: Function) -> Function:
        def count(self: Counts, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            original(self, *args, **kwargs)

        return count

    around(Counts, "count", make)


@defect("completed-whatever", "worker", "I11")
def completed_whatever() -> None:
    """A job that has ended is called completed, though items failed."""
    around(JobWorkflow, "_end_state", lambda _: lambda _self: "completed")


@defect("changing-end", "worker", "I1")
def changing_end() -> None:
    """An item that has ended as failed ends again, as skipped, when its results are written."""

    def make(original: Function) -> Function:
        def result_of(*args: Any) -> ItemResult:
            result: ItemResult = original(*args)
            return result.model_copy(update={"state": "skipped"}) if result.state == "failed" else result

        return result_of

    around(books, "result_of", make)


# --- events --------------------------------------------------------------------------------------


@defect("early-webhook", "worker", "I12")
def early_webhook() -> None:
    """The end is told before the receipt is written and the status shows it."""

    def tell_first(original: Function) -> Function:
        async def report(self: JobWorkflow) -> Any:
            end = self.summary.model_copy(deep=True, update={"state": self._end_state()})
            telling = self.progress.telling
            telling.hear(end, self.teller._whole(), workflow.now())
            self.teller._working = asyncio.create_task(self.teller._tell())
            return await original(self)

        return report

    def write_late(original: Function) -> Function:
        async def write(self: Books, *args: Any) -> None:
            await asyncio.sleep(READING_SECONDS)
            await original(self, *args)

        return write

    around(JobWorkflow, "_report", tell_first)
    around(Books, "_write_report", write_late)


@defect("changing-event-id", "worker", "I12")
def changing_event_id() -> None:
    """Each attempt at a delivery has an id of its own."""

    def make(original: Function) -> Function:
        def headers(letter: Any, now: Any) -> Any:
            return original(replace(letter, event=f"{letter.event}-{now.timestamp()}"), now)

        return headers

    around(sender, "signed_headers", make)


# --- the API -------------------------------------------------------------------------------------


@defect("forgotten-idempotency", "api", "I5")
def forgotten_idempotency() -> None:
    """The record of a key is put over one that is there."""

    async def put(store: S3Store, key: str, mine: bytes) -> bool:
        await store.put(key, mine)
        return True

    around(submission, "claim", lambda _: put)


@defect("early-answer", "api", "I6")
def early_answer() -> None:
    """A submission is acknowledged, and started a moment later."""

    def make(original: Function) -> Function:
        async def late(*args: Any) -> None:
            await asyncio.sleep(STARTING_SECONDS)
            await original(*args)

        async def start_job(*args: Any) -> None:
            starting.append(asyncio.create_task(late(*args)))

        return start_job

    starting: list[asyncio.Task[None]] = []
    around(TemporalEngine, "start_job", make)


@defect("foreign-job-readable", "api", "I9")
def foreign_job_readable() -> None:
    """Whoever knows a job's id is taken for its owner, and its items are read as the owner's."""

    def make(original: Function) -> Function:
        async def summary_of(parts: Any, tenant: str, job: str) -> Any:
            known = await parts.engine.job_summary(job)
            return await original(parts, known.tenant if known else tenant, job)

        return summary_of

    def owned(original: Function) -> Function:
        def init(self: Items, parts: Any, _tenant: str, job: str, summary: JobSummary) -> None:
            original(self, parts, summary.tenant, job, summary)

        return init

    around(status, "summary_of", make)
    around(Items, "__init__", owned)
