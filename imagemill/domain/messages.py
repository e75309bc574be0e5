"""What passes through the engine: the names of workflows, activities and signals, and their payloads.

Ids, counts, costs and keys only; never a prompt, an image, a credential or an address that grants
access. Fields are added with defaults only, so that running workflows survive a new version.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from imagemill.domain.budget import Account, Leases
from imagemill.domain.item import CallRecord, ItemRecord
from imagemill.domain.job import ChunkFacts, Counts, Hold, JobSummary, Progress

JOB = "imagemill.job"
CHUNK = "imagemill.chunk"

PLAN = "job.plan"
REPORT = "job.report"
OPEN_CHUNK = "chunk.open"
WRITE_RESULTS = "chunk.results"
INSPECT_CHUNK = "chunk.inspect"
GENERATE = "image.generate"
LOOK = "image.look"

CHUNK_REPORT = "chunk_report"
GRANT = "grant"
EXHAUST = "exhaust"
CANCEL = "cancel"
RECORDS = "records"

SUMMARY_MEMO = "summary"
PROGRESS_MEMO = "progress"

MAIN_QUEUE = "imagemill"


def chunk_workflow_id(job: str, chunk: int) -> str:
    """The workflow id of a chunk."""
    return f"{job}/{chunk}"


class Times(BaseModel):
    """The times that decide what is known of a call, in seconds; settings, so that tests can shrink them."""

    call_deadline: float = 600
    heartbeat_timeout: float = 120
    heartbeat_interval: float = 30
    start_to_close: float = 86_400
    sweep: float = 300
    first_probe: float = 15
    last_probe: float = 300


class Workplace(BaseModel):
    """What every step of a job needs to know, the same for all of them."""

    job: str
    tenant: str
    image_queue: str
    priority: int = 3
    on_unknown: Literal["retry", "skip"] = "retry"
    times: Times = Field(default_factory=Times)
    window: int = 100
    chunks_at_once: int = 4

    @property
    def quarantine_queue(self) -> str:
        """Where an item goes on whose worker died: one call at a time, so that the guilty one is known."""
        return f"{self.image_queue}.quarantine"


# --- activities ----------------------------------------------------------------------------------


class PlanTask(BaseModel):
    """Claim the job for this run, then plan it."""

    job: str
    tenant: str
    run: str


class PlannedChunk(BaseModel):
    """How many items a chunk has, and what they cost at most."""

    items: int
    maximum_nano: int
    invalid: int = 0


class Plan(BaseModel):
    """What planning found."""

    duplicate: bool = False
    chunks: list[PlannedChunk] = Field(default_factory=list)
    items: int = 0
    invalid_rows: int = 0
    failure: str | None = None
    failure_detail: str | None = None


class ChunkTask(BaseModel):
    """Which chunk."""

    job: str
    tenant: str
    chunk: int
    recover: bool = False
    """Look in the store for what an earlier life of this chunk has bought."""


class OpenedChunk(BaseModel):
    """What each item costs at most (-1: its row is bad), and what was found in the store already."""

    maxima_nano: list[int]
    records: list[ItemRecord] = Field(default_factory=list)


class ImageTask(BaseModel):
    """Buy one item under one reservation."""

    job: str
    tenant: str
    chunk: int
    index: int
    reservation: str
    run: str
    look_first: bool = False
    times: Times


class ImageOutcome(BaseModel):
    """What came of it, where the outcome is known.

    ``paid_nano`` is what the call under this task's own reservation cost; None: no call was billed.
    ``call`` is the record that counts for the item; another reservation's, where its images were there.
    """

    kind: Literal["stored", "refused", "account"]
    paid_nano: int | None = None
    write_off: bool = False
    blocked: bool = False
    code: str | None = None
    request_id: str | None = None
    call: CallRecord | None = None
    warnings: list[str] = Field(default_factory=list)


class Found(BaseModel):
    """What the store has of an item, if anything."""

    call: CallRecord | None = None


class ResultsTask(BaseModel):
    """Write a chunk's results file."""

    job: str
    tenant: str
    chunk: int
    records: list[ItemRecord]


class WrittenResults(BaseModel):
    """The results file that was written."""

    sha256: str
    settled_by_model_nano: dict[str, int] = Field(default_factory=dict)


class ReportTask(BaseModel):
    """Write the job's report and its entry in the index; with it the results of a job of one item."""

    job: str
    tenant: str
    summary: JobSummary
    chunks: list[ChunkFacts] = Field(default_factory=list)
    settled_by_model_nano: dict[str, int] = Field(default_factory=dict)
    records: list[ItemRecord] | None = None


class InspectedChunk(BaseModel):
    """What the engine says of a chunk that has been silent."""

    running: bool
    report: "ChunkReport | None" = None


class Nothing(BaseModel):
    """An answer that says only that it is done."""


# --- workflows -----------------------------------------------------------------------------------


class GenerationState(BaseModel):
    """Where the items of a chunk (or of a job of one item) stand; goes whole to the next run."""

    account: Account
    granted: int = 0
    returned: int = 0
    maxima: list[int] = Field(default_factory=list)
    pending: list[int] = Field(default_factory=list)
    records: dict[int, ItemRecord] = Field(default_factory=dict)
    strikes: dict[int, int] = Field(default_factory=dict)
    quarantined: set[int] = Field(default_factory=set)
    counts: Counts = Field(default_factory=Counts)
    exhausted: bool = False
    cancelled: bool = False
    hold: Hold | None = None
    probes: int = 0


class ChunkStart(BaseModel):
    """Start of a chunk, or its state where it continues as new."""

    place: Workplace
    chunk: int
    life: int = 0
    """Which of its lives this is: above 0 the one before it vanished."""
    granted: int = 0
    sequence: int = 0
    state: GenerationState | None = None


class ChunkReport(BaseModel):
    """A chunk's running totals: repeats and disorder are harmless, the highest sequence counts."""

    chunk: int
    life: int
    sequence: int
    progress: Progress
    granted: int = 0
    """What it has been granted in all, as far as it has heard."""
    returned: int = 0
    wanted: int = 0
    """What it would like to have been granted in all; what it was granted where it wants nothing."""
    smallest: int = 0
    """The cheapest item that it could start."""
    starved: bool = False
    """Nothing is under way, and what it holds is returned: only a grant can start an item."""
    done: ChunkFacts | None = None
    settled_by_model_nano: dict[str, int] = Field(default_factory=dict)


class JobProgress(BaseModel):
    """Where a job stands; goes whole to the next run."""

    summary: JobSummary
    leases: Leases
    chunks: list[PlannedChunk] = Field(default_factory=list)
    planned: bool = False
    next_chunk: int = 0
    lives: dict[int, int] = Field(default_factory=dict)
    reports: dict[int, ChunkReport] = Field(default_factory=dict)
    heard_at: dict[int, datetime] = Field(default_factory=dict)
    facts: list[ChunkFacts] = Field(default_factory=list)
    settled_by_model_nano: dict[str, int] = Field(default_factory=dict)
    cancelled: bool = False
    alone: GenerationState | None = None
    """The item of a job that runs it itself."""


class JobStart(BaseModel):
    """Start of a job, or its state where it continues as new."""

    place: Workplace
    summary: JobSummary
    resume: JobProgress | None = None


class GrantSignal(BaseModel):
    """What a chunk was granted in all, ever."""

    granted: int


class RecordsAnswer(BaseModel):
    """The items of a running chunk that have ended or are under way."""

    records: list[ItemRecord]


InspectedChunk.model_rebuild()
