"""A job: what was submitted, and the summary that its status shows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from imagemill.domain.item import ItemState
from imagemill.domain.job_states import ENDED, JobState
from imagemill.domain.manifests import FoundManifest, ManifestSource
from imagemill.domain.pricing import Estimate
from imagemill.domain.renditions import Rendition
from imagemill.domain.request import ImageSettings

OnExhausted = Literal["hold", "skip"]
OnUnknown = Literal["retry", "hold", "skip"]
ReuseScope = Literal["none", "schedule", "tenant"]
"""Whose earlier images may answer a job's items: nobody's, those of its schedule's runs, the tenant's."""
Format = Literal["csv", "jsonl", "shopify-products", "shopify-variants", "merchant-tsv", "merchant-xml"]
"""How a manifest is read; see docs/reference/manifest.md."""
Encoding = Literal["auto", "windows-1252"]
"""``auto``: what the byte order mark says, else UTF-8."""


class InlineItem(ImageSettings):
    """One item as it stands in a submission."""

    custom_id: str
    prompt: str


class Variant(ImageSettings):
    """One of several pictures for each row: a name, and settings that win over the job's defaults."""

    name: str
    words: str | None = None
    """Put after the prompt."""


class Manifest(BaseModel):
    """A file of rows, and the Liquid templates that make items of them. It has a file or a source."""

    file_id: str | None = None
    source: ManifestSource | None = None
    format: Format
    encoding: Encoding = "auto"
    id: str
    prompt: str
    where: str | None = None
    images: list[str] = Field(default_factory=list)
    """Templates, each of one reference; what a row renders to nothing is left out."""
    mask: str | None = None
    markup: str | None = None
    variants: list[Variant] = Field(default_factory=list)


class Retry(BaseModel):
    """Items of an earlier job, bought again: those in these states, or those that are named."""

    job: str
    states: list[ItemState] = Field(default_factory=list)
    custom_ids: list[str] | None = None
    schedule: str | None = None
    """The schedule that the earlier job was a run of."""


class ScheduledRun(BaseModel):
    """Which run of a schedule a job is."""

    schedule: str
    number: int
    """Counts the runs of the schedule from 1."""
    at: datetime
    """The time that the schedule names, in UTC; of a run that was triggered, when that was."""
    time_zone: str = "UTC"
    """Whose date the run's templates see."""


class Submission(BaseModel):
    """``request.json``: what was asked for, whole. One of ``items``, ``manifest`` and ``retry`` is there."""

    job: str
    tenant: str
    submitted_at: datetime
    name: str | None = None
    defaults: ImageSettings
    items: list[InlineItem] | None = None
    manifest: Manifest | None = None
    retry: Retry | None = None
    run: ScheduledRun | None = None
    """Set where a schedule submitted it: its spending counts under the schedule's cap as well."""
    refused: str | None = None
    """Why a schedule's run may not be started after all; the job fails with these words."""
    key: str | None = None
    """Liquid template of an image's name; None: ``{custom_id}/{variant}-{n}.{ext}``."""
    cap_nano: int
    on_exhausted: OnExhausted = "skip"
    on_unknown: OnUnknown = "retry"
    prices_nano: dict[str, int] = Field(default_factory=dict)
    """The job's own prices of an image, for models that the catalogue does not price."""
    priority: int = 3
    pools: list[str] = Field(default_factory=list)
    """The provider accounts to be paid, in order of choice; none: the first that serves a model."""
    webhook_events: list[str] = Field(default_factory=list)
    """What its webhook is to be told; where that is, is in ``webhook.json``."""
    renditions: list[Rendition] = Field(default_factory=list)
    """The copies of each image that are made besides its thumbnail."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """The submitter's own words, which jobs can be found by."""
    reuse: ReuseScope = "none"
    """What was answered before is not bought again."""

    @property
    def schedule(self) -> str | None:
        """The schedule that it counts as a run of: its cap bounds it, its later runs may reuse its images."""
        if self.run:
            return self.run.schedule
        return self.retry.schedule if self.retry else None


class Hold(BaseModel):
    """What the service stopped for by itself, and what ends it."""

    code: str
    since: datetime
    next_probe: datetime | None = None
    """When one item is tried; None: it waits to be told."""
    smallest_nano: int | None = None
    """By how much the cap has to be raised at least, for one more item."""
    likely_nano: int | None = None
    """By how much, for all items at what they are expected to cost."""
    pool: str | None = None
    """The provider account that is in trouble, the last that was tried."""
    model: str | None = None
    """What was asked of it."""
    until: datetime | None = None
    """When it ends by itself, because a window of the tenant's turns."""


class Counts(BaseModel):
    """Items by state, and images stored."""

    succeeded: int = 0
    blocked: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    images: int = 0
    """Those that were bought."""
    reused: int = 0
    """Of those that succeeded."""

    @property
    def terminal(self) -> int:
        """Items that have reached their end state."""
        return self.succeeded + self.blocked + self.failed + self.skipped + self.cancelled

    def add(self, other: "Counts") -> "Counts":
        """The sum of both."""
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in Counts.model_fields})

    def count(self, state: ItemState, images: int = 0, *, reused: bool = False) -> None:
        """Count one more item in this end state."""
        setattr(self, state, getattr(self, state) + 1)
        self.images += images
        self.reused += reused


class Progress(BaseModel):
    """Running totals: of a chunk, or of a job over all its chunks."""

    counts: Counts = Field(default_factory=Counts)
    running: int = 0
    settled_nano: int = 0
    written_off_nano: int = 0
    reserved_nano: int = 0
    uncertain: int = 0
    """Items with a call whose bill can't be known."""
    hold: Hold | None = None
    confirmed_cancel: bool = False
    """It was cancelled, and no call is under way."""

    @classmethod
    def total(cls, parts: "Sequence[Progress]") -> "Progress":
        """The sum of several, and the first hold among them."""
        whole = cls(hold=next((part.hold for part in parts if part.hold), None))
        for part in parts:
            whole.counts = whole.counts.add(part.counts)
            whole.running += part.running
            whole.settled_nano += part.settled_nano
            whole.written_off_nano += part.written_off_nano
            whole.reserved_nano += part.reserved_nano
            whole.uncertain += part.uncertain
        return whole


class JobSummary(BaseModel):
    """What a job's memo holds: enough for its status, but for the progress of its running chunks."""

    tenant: str
    state: JobState = "queued"
    priority: int = 3
    parent: str | None = None
    """The job whose items it tries again."""
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
    on_exhausted: OnExhausted = "skip"
    committed_nano: int = 0
    """The most that can be on the bill by now: spent, and leased to chunks and not yet spent."""
    estimate: Estimate | None = None
    """What all items would cost; known once the job is planned."""
    warnings: list[str] = Field(default_factory=list)
    hold: Hold | None = None
    """What holds the job as a whole; a chunk's own hold is in the chunk's progress."""
    vanished_nano: int = 0
    """Written off with chunks that were ended from outside; no item's attempts show it."""
    ended: Progress = Field(default_factory=Progress)
    """Totals of the chunks that have ended; of the job itself where it has one item."""
    failure: str | None = None
    failure_detail: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    manifest: FoundManifest | None = None

    def believed(self, *, going_on: bool) -> "JobSummary":
        """The same, unless the engine ended the workflow before it could say so itself."""
        if going_on or self.state in ENDED:
            return self
        return self.model_copy(update={"state": "failed", "failure": "terminated"})


class ChunkFacts(BaseModel):
    """What a job's report says of one chunk."""

    chunk: int
    items: int
    results_sha256: str
    counts: Counts
    settled_nano: int
    written_off_nano: int


class ReportLine(BaseModel):
    """The items of one model that ended in one state, and what they cost."""

    model: str
    state: ItemState
    items: int = 0
    images: int = 0
    settled_nano: int = 0
    written_off_nano: int = 0
    uncertain: int = 0
    """Items with a call whose bill can't be known."""

    def plus(self, other: "ReportLine") -> "ReportLine":
        """The sum of two lines of one model and state."""
        amounts = ("items", "images", "settled_nano", "written_off_nano", "uncertain")
        sums = {name: getattr(self, name) + getattr(other, name) for name in amounts}
        return self.model_copy(update=sums)


def add_lines(lines: list[ReportLine], more: list[ReportLine]) -> list[ReportLine]:
    """The lines of both, one for each model and state, in order."""
    whole: dict[tuple[str, str], ReportLine] = {}
    for line in [*lines, *more]:
        known = whole.get((line.model, line.state))
        whole[line.model, line.state] = known.plus(line) if known else line
    return [whole[key] for key in sorted(whole)]


class Drift(BaseModel):
    """Calls of one model that cost more than was reserved for them."""

    calls: int
    amount_nano: int
    """How much more, over all of them."""
    permille: int
    """What the model's maximum was multiplied by in the end, in thousandths."""


class Report(BaseModel):
    """``report.json``: the receipt of a finished job."""

    job: str
    tenant: str
    summary: JobSummary
    lines: list[ReportLine] = Field(default_factory=list)
    drift: dict[str, Drift] = Field(default_factory=dict)
    """By model."""
    catalogue: str | None = None
    """The version of the price table."""
    chunks: list[ChunkFacts] = Field(default_factory=list)
