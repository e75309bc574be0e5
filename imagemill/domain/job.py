"""A job: what was submitted, and the summary that its status shows."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from imagemill.domain.item import ItemState
from imagemill.domain.request import ImageSettings

JobState = Literal[
    "queued", "validating", "running", "held", "cancelling",
    "completed", "completed_with_errors", "cancelled", "failed", "duplicate",
]  # fmt: skip
ENDED: tuple[JobState, ...] = ("completed", "completed_with_errors", "cancelled", "failed", "duplicate")


class InlineItem(ImageSettings):
    """One item as it stands in a submission."""

    custom_id: str
    prompt: str


class Variant(ImageSettings):
    """One of several pictures for each row: a name, and settings that win over the job's defaults."""

    name: str


class Manifest(BaseModel):
    """A file of rows, and the Liquid templates that make items of them."""

    file_id: str
    format: Literal["csv", "jsonl"]
    id: str
    prompt: str
    where: str | None = None
    variants: list[Variant] = Field(default_factory=list)


class Submission(BaseModel):
    """``request.json``: what was asked for, whole. Exactly one of ``items`` and ``manifest`` is there."""

    job: str
    tenant: str
    submitted_at: datetime
    name: str | None = None
    defaults: ImageSettings
    items: list[InlineItem] | None = None
    manifest: Manifest | None = None
    key: str | None = None
    """Liquid template of an image's name; None: ``{custom_id}/{variant}-{n}.{ext}``."""
    cap_nano: int
    on_unknown: Literal["retry", "skip"] = "retry"
    priority: int = 3


class Hold(BaseModel):
    """What the service stopped for by itself."""

    code: str
    since: datetime
    next_probe: datetime | None = None


class Counts(BaseModel):
    """Items by state, and images stored."""

    succeeded: int = 0
    blocked: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    images: int = 0

    @property
    def terminal(self) -> int:
        """Items that have reached their end state."""
        return self.succeeded + self.blocked + self.failed + self.skipped + self.cancelled

    def add(self, other: "Counts") -> "Counts":
        """The sum of both."""
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in Counts.model_fields})

    def count(self, state: ItemState, images: int = 0) -> None:
        """Count one more item in this end state."""
        setattr(self, state, getattr(self, state) + 1)
        self.images += images


class Progress(BaseModel):
    """Running totals: of a chunk, or of a job over all its chunks."""

    counts: Counts = Field(default_factory=Counts)
    running: int = 0
    settled_nano: int = 0
    written_off_nano: int = 0
    reserved_nano: int = 0
    hold: Hold | None = None
    confirmed_cancel: bool = False


class JobSummary(BaseModel):
    """What a job's memo holds: enough for its status, but for the progress of its running chunks."""

    tenant: str
    state: JobState = "queued"
    name: str | None = None
    submitted_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    items: int | None = None
    invalid_rows: int = 0
    chunks: int = 0
    open_chunks: dict[int, int] = Field(default_factory=dict)
    """Running chunks and which of their lives is running."""
    cap_nano: int
    ended: Progress = Field(default_factory=Progress)
    """Totals of the chunks that have ended; of the job itself where it has one item."""
    failure: str | None = None
    failure_detail: str | None = None


class ChunkFacts(BaseModel):
    """What a job's report says of one chunk."""

    chunk: int
    items: int
    results_sha256: str
    counts: Counts
    settled_nano: int
    written_off_nano: int


class Report(BaseModel):
    """``report.json``: the receipt of a finished job."""

    job: str
    tenant: str
    summary: JobSummary
    settled_by_model_nano: dict[str, int] = Field(default_factory=dict)
    catalogue: str | None = None
    chunks: list[ChunkFacts] = Field(default_factory=list)
