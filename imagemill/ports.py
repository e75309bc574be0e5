"""What the activities and the API need of the world, as protocols; adapters and fakes implement them.

Every method may raise the errors of ``imagemill.domain.errors`` that its docstring names, and no
vendor's error ever.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from imagemill.domain.gallery import SheetOrder
from imagemill.domain.item import ItemRecord
from imagemill.domain.job import JobSummary
from imagemill.domain.messages import (
    AccountStart,
    BudgetSignal,
    Estimated,
    EstimateTask,
    GalleryTask,
    InspectedChunk,
    JobStart,
    Times,
    WebhookSignal,
)
from imagemill.domain.pace import Pace, PoolNews, Told
from imagemill.domain.pool_messages import PoolStart
from imagemill.domain.pricing import Usage
from imagemill.domain.renditions import Rendition
from imagemill.domain.request import ImageRequest
from imagemill.domain.schedules import Schedule
from imagemill.domain.tenant import AccountAsk, Caps, TenantAccount
from imagemill.domain.webhook_messages import WebhookStart


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What the store tells of an object without its bytes. Metadata is plain text, decoded."""

    size: int
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a listing has it. ``tag`` is the store's own word for the bytes."""

    key: str
    size: int
    modified_at: datetime
    tag: str


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part of an object that comes in parts. ``tag`` is the store's own word for the bytes."""

    number: int
    size: int
    tag: str


class ObjectStore(Protocol):
    """A bucket. All methods raise StoreUnavailable (try again) and StoreRefused (mend it)."""

    async def put(self, key: str, data: bytes, *, content_type: str = "application/json") -> None:
        """Store the object, over an older one of that key."""

    async def put_new(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/json",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Store the object if there is none under that key.

        Metadata values may be any text; all of it must stay under 2 KB once percent-encoded.

        Raises:
            ObjectExists: there is one.
        """

    async def get(self, key: str) -> bytes:
        """The whole object. Raises ObjectMissing."""

    async def head(self, key: str) -> ObjectFacts:
        """What is known of an object. Raises ObjectMissing."""

    async def start_of(self, key: str, length: int) -> bytes:
        """The first bytes of an object, fewer if it is shorter. Raises ObjectMissing."""

    async def delete(self, key: str) -> None:
        """Remove the object, if it is there."""

    async def upload(
        self, key: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        """Store an open file of any size, in parts."""

    async def download(self, key: str, target: Path) -> None:
        """Fetch an object of any size into a file. Raises ObjectMissing."""

    def pieces(self, key: str) -> AsyncIterator[bytes]:
        """An object of any size, a piece of at most a megabyte at a time. Raises ObjectMissing."""

    def keys(self, prefix: str, after: str = "") -> AsyncIterator[str]:
        """The keys under a prefix, in order; only those that follow ``after``, a whole key."""

    def listed(self, prefix: str) -> AsyncIterator[ListedObject]:
        """The objects under a prefix, in the order of their keys."""

    def presign_get(self, key: str, seconds: int, filename: str | None = None) -> str:
        """An address that gives the object to whoever has it, for so long.

        With a name, a browser saves it under that name, whatever it is, and never shows it.
        """

    async def begin_parts(self, key: str, *, content_type: str) -> str:
        """Begin an object that comes in parts, and return the id by which they belong together.

        There is no object under the key before the parts are joined.
        """

    async def put_part(self, key: str, upload: str, number: int, data: bytes) -> StoredPart:
        """Store a part under a number (1 to 10,000), which may have been given to another one before.

        All but the last must have 5 MiB at least. Raises ObjectMissing: the parts were joined or dropped.
        """

    async def list_parts(self, key: str, upload: str) -> list[StoredPart]:
        """The parts that are there, by number. Raises ObjectMissing: they were joined or dropped.

        Of parts with the same number, some stores name the last one alone, and some all in any order.
        """

    async def join_parts(self, key: str, upload: str, parts: Sequence[StoredPart]) -> None:
        """Make these parts the object. Raises ObjectMissing: they were joined or dropped before."""

    async def drop_parts(self, key: str, upload: str) -> None:
        """Remove parts that were not joined, if there are any."""


@dataclass(frozen=True, slots=True)
class GeneratedImages:
    """What the provider answered: the images' bytes as they came, and its own count of tokens.

    ``usage`` is None where the provider sent none, or an all-zero one.
    """

    images: Sequence[bytes]
    usage: Usage | None
    request_id: str | None
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class SentImage:
    """An input image as it is sent: checked bytes, and their format (``png``, ``jpeg``, ``webp``)."""

    data: bytes
    format: str


@dataclass(frozen=True, slots=True)
class SentInputs:
    """What the references of a request stand for, in the same order."""

    images: Sequence[SentImage] = ()
    mask: SentImage | None = None
    markup: SentImage | None = None


NO_INPUTS = SentInputs()


class ImageProvider(Protocol):
    """The image API of one provider account."""

    async def generate(
        self, request: ImageRequest, *, deadline: float, inputs: SentInputs = NO_INPUTS
    ) -> GeneratedImages:
        """Buy images; one request goes out at most. The deadline bounds the whole call, in seconds.

        With images among the inputs it is an edit.

        Raises:
            NotSent: the request did not leave.
            NotBilled: refused before generation; may be tried again when told.
            Refused: refused for good.
            AccountTrouble: refused until somebody mends the account.
            OutcomeUnknown: anything else.
        """


class Imaging(Protocol):
    """Makes smaller copies of images, where neither memory nor time of ours is at stake."""

    async def copies(self, image: bytes, specs: Sequence[Rendition]) -> Sequence[bytes | None]:
        """A copy for each specification, in order; None where there is none. It raises nothing."""

    async def sheet(self, order: SheetOrder, pictures: Sequence[bytes]) -> bytes | None:
        """All pictures on one contact sheet, as webp; None where there is none. It raises nothing."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One row through the templates: the text of each, or why there is none; neither: it is not chosen."""

    texts: Mapping[str, str] | None = None
    problem: str | None = None


class TemplateRenderer(Protocol):
    """Renders templates of strangers, where neither memory nor time of ours is at stake."""

    async def render(self, rows: Sequence[Mapping[str, object]]) -> Sequence[Rendered]:
        """Render all templates for each mapping of variables, one answer each, in order."""

    async def close(self) -> None:
        """End what renders."""


class Templating(Protocol):
    """Makes renderers."""

    async def start(self, templates: Mapping[str, str], where: str | None) -> TemplateRenderer:
        """A renderer for these templates, by name.

        Rows for which ``where`` renders to nothing, ``false`` or ``0`` are not chosen.
        """


@dataclass(frozen=True, slots=True)
class Life:
    """Whether a workflow runs, and when it ended if not."""

    running: bool
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Memo:
    """What a workflow last said of itself: JSON as it wrote it. Does it go on, or has it ended?"""

    data: bytes
    going_on: bool


@dataclass(frozen=True, slots=True)
class JobSearch:
    """Which jobs of a tenant are looked for; None: whatever it is."""

    tenant: str
    state: str | None = None
    name: str | None = None
    """How the name begins."""
    metadata: tuple[tuple[str, str], ...] = ()
    cut_off: bool = False
    """Jobs that were ended from outside, instead of those that run."""


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A job as the engine's list has it, which may be a moment behind."""

    job: str
    summary: JobSummary
    started_at: datetime


@dataclass(frozen=True, slots=True)
class FoundJobs:
    """Running jobs, the last started first; ``more`` asks for the rest, if it is not empty."""

    jobs: Sequence[FoundJob]
    more: bytes = b""


QueueKind = Literal["workflow", "activity"]


@dataclass(frozen=True, slots=True)
class Poller:
    """Who asks a queue for work, by the name that it gives itself, and when it last did."""

    identity: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class QueueState:
    """How a task queue stands; its figures are the engine's own estimates."""

    name: str
    kind: QueueKind
    backlog: int = 0
    """Tasks that nobody has taken yet."""
    oldest: timedelta = timedelta()
    """For how long the oldest of them has waited."""
    added_per_second: float = 0.0
    taken_per_second: float = 0.0
    pollers: Sequence[Poller] = ()


class Engine(Protocol):
    """The durable engine. All methods raise EngineUnavailable (try again)."""

    async def start_job(self, start: JobStart) -> None:
        """Start a job's workflow; one that was started before, ended or not, is left as it is."""

    async def job_summary(self, job: str, run: str | None = None) -> JobSummary | None:
        """What the job's memo says; None where the engine does not know the job (any more)."""

    async def job_memo(self, job: str) -> Memo | None:
        """A job's memo, unread: a ``JobSummary``. None where the engine does not know it (any more)."""

    async def chunk_memo(self, job: str, chunk: int) -> Memo | None:
        """A chunk's memo, unread: a ``Progress``. None where there is none yet."""

    async def find_jobs(self, search: JobSearch, more: bytes = b"") -> FoundJobs:
        """Jobs by the engine's list, at most a thousand at once; it may be a moment behind."""

    async def records(self, workflow_id: str, seconds: float = 2.0) -> list[ItemRecord]:
        """The items that a running job or chunk knows of.

        EngineUnavailable where no worker answers within so many seconds.
        """

    async def cancel_job(self, job: str) -> bool:
        """Tell a job to cancel. False: it has ended."""

    async def pause_job(self, job: str) -> bool:
        """Tell a job to start nothing until it is resumed. False: it has ended."""

    async def resume_job(self, job: str) -> bool:
        """Tell a paused or held job to go on. False: it has ended."""

    async def set_priority(self, job: str, priority: int) -> bool:
        """Give a job another priority, 1 to 5. False: it has ended."""

    async def set_budget(self, job: str, budget: BudgetSignal) -> bool:
        """Give a job another cap. False: it has ended."""

    async def set_webhook(self, job: str, change: WebhookSignal) -> bool:
        """Change what a job's webhook is told. False: it has ended."""

    async def start_delivery(self, start: WebhookStart, *, again: bool = False) -> None:
        """Start an event's delivery, once.

        ``again``: even if it has ended before; one that is under way makes its next attempt at once.
        """

    async def estimate(self, task: EstimateTask, seconds: float) -> Estimated | None:
        """Plan a stored submission without keeping the plan; None: it takes longer than that."""

    async def make_gallery(self, task: GalleryTask, seconds: float) -> bool:
        """Have the gallery of a job made. False: it takes longer than that, and may come yet, or failed."""

    async def life_of(self, workflow_id: str) -> Life | None:
        """Does a workflow run, and if not, since when? None: the engine does not know it (any more)."""

    async def account_caps(self, tenant: str, schedule: str | None = None) -> Caps | None:
        """The caps that the account of a tenant, or of a schedule, works with; None where it does not run."""

    async def account(self, tenant: str, schedule: str | None = None) -> TenantAccount | None:
        """The account of a tenant, or of a schedule, as it stands; None where it does not run."""

    async def tell_account(
        self, start: AccountStart, *, ask: AccountAsk | None = None, caps: Caps | None = None
    ) -> None:
        """Tell an account what a job asks, or its caps; it is started if it does not run."""

    async def sweep_account(self, tenant: str) -> bool:
        """Let a tenant's account look for holders that have vanished. False: it does not run."""

    async def close_account(self, tenant: str, schedule: str | None = None) -> bool:
        """Let an account end once no job has a lease. False: it does not run."""

    async def inspect_chunk(self, job: str, chunk: int) -> InspectedChunk:
        """Does the chunk still run, and what did it report if not?"""

    async def pace(self, workflow_id: str) -> Pace | None:
        """What a pool's workers are to go by; None where it does not run."""

    async def queue_state(self, name: str, kind: QueueKind) -> QueueState:
        """How a task queue stands; one that nobody has used is empty."""

    async def is_reachable(self) -> bool:
        """Does the engine answer?"""


@dataclass(frozen=True, slots=True)
class ScheduleFacts:
    """What the engine knows of a schedule.

    Attributes:
        next: the next times at which a run starts, jitter included; at most ten.
        runs_left: how many more runs it starts by itself; None: no limit.
        skipped: times that came while an earlier run was under way, and became no run.
        missed: times that came while the service was away for longer than is caught up.
        under_way: the times that the runs under way are for.
    """

    paused: bool
    note: str | None
    next: Sequence[datetime] = ()
    runs_left: int | None = None
    skipped: int = 0
    missed: int = 0
    under_way: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """What is to be changed of a schedule that the engine keeps, beside what its definition says.

    ``runs`` is how many more it starts; None: no limit. What is ``KEEP`` stays as it is.
    """

    paused: bool | None = None
    note: str | Literal["KEEP"] | None = "KEEP"
    runs: int | Literal["KEEP"] | None = "KEEP"


class Schedules(Protocol):
    """The engine's own schedules. All methods raise EngineUnavailable (try again)."""

    async def create(self, schedule: Schedule, times: Times) -> None:
        """Keep a schedule, paused; one that is there is left as it is.

        Raises:
            InvalidInput: its spec can't be read.
        """

    async def describe(self, schedule: str) -> ScheduleFacts | None:
        """What is known of it; None: there is none."""

    async def change(self, schedule: Schedule, times: Times, change: ScheduleChange) -> bool:
        """Go by what the definition says now. False: there is none.

        Raises:
            InvalidInput: its spec can't be read.
        """

    async def trigger(self, schedule: str, at: datetime) -> bool:
        """Run now, as the time ``at``, if its overlap policy lets it. False: there is none."""

    async def backfill(self, schedule: str, start: datetime, end: datetime, *, at_once: bool) -> bool:
        """Run all its times from ``start`` to ``end``, in turn or at once. False: there is none."""

    async def delete(self, schedule: str) -> None:
        """Start no run any more. It may be gone already."""

    async def times_of(self, schedule: str, start: datetime, end: datetime, most: int) -> list[datetime]:
        """Its times from ``start`` to ``end``, the first ``most`` of them; none where it is not there."""


class PoolLine(Protocol):
    """How a worker and its pool talk. All methods raise EngineUnavailable (try again)."""

    async def tell_pool(self, start: PoolStart, news: PoolNews, *, opening: bool = False) -> None:
        """Tell a pool what was seen; it is started if it does not run.

        ``opening`` says what the operator states of the limits too.
        """

    async def pace(self, workflow_id: str) -> Pace | None:
        """What a pool's workers are to go by; None where it does not run."""


class QueueRates(Protocol):
    """Sets how fast queues are worked off."""

    async def set_queue_rate(self, queue: str, per_second: float | None) -> None:
        """So many tasks a second; None: no limit. Raises EngineUnavailable."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An event as it goes out: its body, and the secrets that it is signed with."""

    event: str
    body: bytes
    secrets: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of sending: the status that was answered, or in a word why there is none.

    ``retry_after`` are the seconds that the receiver asks for.
    """

    status: int | None = None
    problem: Literal["address_refused", "unreachable", "too_slow"] | None = None
    retry_after: float | None = None


class WebhookSender(Protocol):
    """Sends events to addresses of strangers."""

    async def send(self, url: str, letter: Letter) -> Receipt:
        """Send a signed event, once, within a bounded time; it raises nothing."""
