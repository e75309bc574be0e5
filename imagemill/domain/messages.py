"""What passes through the engine: the names of workflows, activities and signals, and their payloads.

Ids, counts, costs and keys only; never a prompt, an image, a credential or an address that grants
access. Fields are added with defaults only, so that running workflows survive a new version.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from imagemill.domain.budget import Account, Leases, Spending
from imagemill.domain.item import CallRecord, ItemRecord
from imagemill.domain.job import (
    ChunkFacts,
    Counts,
    Hold,
    JobSummary,
    OnExhausted,
    OnUnknown,
    Progress,
    ReportLine,
)
from imagemill.domain.manifests import FoundManifest
from imagemill.domain.pricing import Estimate
from imagemill.domain.tenant import AccountAsk, Caps, TenantAccount
from imagemill.domain.trust import Trust
from imagemill.domain.webhooks import EventType, Telling

JOB = "imagemill.job"
CHUNK = "imagemill.chunk"
ACCOUNT = "imagemill.account"
ESTIMATE = "imagemill.estimate"
GALLERY = "imagemill.gallery"

PLAN = "job.plan"
REPORT = "job.report"
ESTIMATE_PLAN = "job.estimate"
GALLERY_MADE = "job.gallery"
OPEN_CHUNK = "chunk.open"
WRITE_RESULTS = "chunk.results"
INSPECT_CHUNK = "chunk.inspect"
GENERATE = "image.generate"
LOOK = "image.look"
OPEN_ACCOUNT = "account.open"
RESTORE_ACCOUNT = "account.restore"
SAVE_ACCOUNT = "account.save"
RECONCILE = "account.reconcile"

CHUNK_REPORT = "chunk_report"
GRANT = "grant"
EXHAUST = "exhaust"
RECALL = "recall"
STOP = "stop"
PAUSE = "pause"
PAUSE_ITEMS = "pause_items"
SET_PRIORITY = "set_priority"
RESUME = "resume"
WATCH = "watch"
STORE_REFUSES = "store_refuses"
CANCEL = "cancel"
SET_BUDGET = "set_budget"
SET_WEBHOOK = "set_webhook"
RECORDS = "records"
ASK = "ask"
ACCOUNT_GRANT = "account_grant"
ACCOUNT_RECALL = "account_recall"
SET_CAPS = "set_caps"
SWEEP = "sweep"
CLOSE = "close"
USAGE = "usage"

SUMMARY_MEMO = "summary"
PROGRESS_MEMO = "progress"
CAPS_MEMO = "caps"

MAIN_QUEUE = "imagemill"

STORE_REFUSED = "store_refused"
"""The code of a hold that is no provider's: the bucket takes no images until somebody mends it."""

TENANT_REMOVED = "tenant_removed"
"""The same: the tenant was removed, and the job is about to be cancelled."""


def chunk_workflow_id(job: str, chunk: int) -> str:
    """The workflow id of a chunk."""
    return f"{job}/{chunk}"


def account_workflow_id(tenant: str, schedule: str | None = None) -> str:
    """The workflow id of a tenant's account, or of one of its schedules'."""
    return f"account/{tenant}/{schedule}" if schedule else f"account/{tenant}"


def gallery_workflow_id(job: str) -> str:
    """The workflow id of what makes a job's gallery."""
    return f"gallery/{job}"


class Message(BaseModel):
    """Written without the fields that have their default value, since each item of a job has a copy of it.

    A default of such a model, or of one within it, is never changed: what was left out would be read as
    something else.
    """


class Times(BaseModel):
    """The times that decide what is known of a call, in seconds; settings, so that tests can shrink them."""

    call_deadline: float = 600
    heartbeat_timeout: float = 120
    heartbeat_interval: float = 30
    start_to_close: float = 86_400
    sweep: float = 300
    first_probe: float = 15
    last_probe: float = 300
    reconcile: float = 3600
    account_save: float = 10


class Workplace(BaseModel):
    """What every step of a job needs to know, the same for all of them."""

    job: str
    tenant: str
    image_queue: str
    """Where an item waits for whose model the chunk was told no queue."""
    pools: list[str] = Field(default_factory=list)
    """The pools that the job names, in the order of its choice; none: the first that serves a model."""
    priority: int = 3
    weight: float = 1.0
    """The tenant's share where tenants wait for the same provider."""
    on_unknown: OnUnknown = "retry"
    account: str | None = None
    """The workflow id of the tenant's account; None: it has none, as in tests."""
    schedule: str | None = None
    """The schedule whose run it is, or retries: it leases from its account too, and its runs may reuse."""
    times: Times = Field(default_factory=Times)
    window: int = 100
    chunks_at_once: int = 4
    submitted_at: datetime | None = None
    """Sorts what it buys among what others bought; None: started before anything was reused."""


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
    expected_nano: int = 0
    uncertain: list[str] = Field(default_factory=list)
    """Models in it whose maximum is uncertain."""
    reused: int = 0
    """Items that need no money, since an earlier item's images answer them."""


class Plan(Message):
    """What planning found."""

    estimate: Estimate | None = None

    duplicate: bool = False
    chunks: list[PlannedChunk] = Field(default_factory=list)
    items: int = 0
    invalid_rows: int = 0
    failure: str | None = None
    failure_detail: str | None = None
    manifest: FoundManifest | None = None


class ChunkTask(BaseModel):
    """Which chunk."""

    job: str
    tenant: str
    chunk: int
    pools: list[str] = Field(default_factory=list)
    recover: bool = False
    """Look in the store for what an earlier life of this chunk has bought."""


class OpenedChunk(Message):
    """What each item costs at most (-1: its row is bad), and what was found in the store already."""

    maxima_nano: list[int]
    expected_nano: list[int] = Field(default_factory=list)
    models: list[str] = Field(default_factory=list)
    model_of: list[int] = Field(default_factory=list)
    """For each item the place of its model in ``models``."""
    queues: list[list[str]] = Field(default_factory=list)
    """For each of ``models`` the queues that its calls may wait in, in order of choice."""
    uncertain: list[str] = Field(default_factory=list)
    """Models whose maximum is uncertain."""
    records: list[ItemRecord] = Field(default_factory=list)


class ImageTask(Message):
    """Buy one item under one reservation."""

    job: str
    tenant: str
    chunk: int
    index: int
    reservation: str
    run: str
    """The end of the id of the run that asks for it; the whole of it, where an earlier version asked."""
    look_first: bool = False
    insists: bool = False
    """Call, even if the account is known to be in trouble: somebody asks for it."""
    times: Times


class ImageOutcome(Message):
    """What came of it, where the outcome is known.

    ``paid_nano`` is what the call under this task's own reservation cost; None: no call was billed.
    ``call`` is the record that counts for the item; another reservation's, where its images were there.
    """

    kind: Literal["stored", "refused", "account"]
    paid_nano: int | None = None
    write_off: bool = False
    blocked: bool = False
    code: str | None = None
    where: str | None = None
    """Which part of the request the code speaks of, where it is one."""
    called: bool = True
    """False: it was found out before the call that it can't be made; that says nothing of the provider."""
    wait: float | None = None
    """The call was not made, since the account is known to be in trouble; seconds until one is tried."""
    request_id: str | None = None
    """None where ``call`` is its own, and has it."""
    call: CallRecord | None = None
    warnings: list[str] = Field(default_factory=list)


class Found(Message):
    """What the store has of an item, if anything."""

    call: CallRecord | None = None
    warnings: list[str] = Field(default_factory=list)
    """What is missing beside its images."""


class ResultsTask(Message):
    """Write a chunk's results file."""

    job: str
    tenant: str
    chunk: int
    records: list[ItemRecord] | None = None
    """None: the chunk is asked for them, so that its history holds each item's record but once."""
    submitted_at: datetime | None = None
    schedule: str | None = None


class WrittenResults(Message):
    """The results file that was written."""

    sha256: str
    lines: list[ReportLine] = Field(default_factory=list)


class ReportTask(Message):
    """Write the job's report and its entry in the index; with it the results of a job of one item."""

    job: str
    tenant: str
    summary: JobSummary
    chunks: list[ChunkFacts] = Field(default_factory=list)
    lines: list[ReportLine] = Field(default_factory=list)
    trust: dict[str, Trust] = Field(default_factory=dict)
    records: list[ItemRecord] | None = None
    schedule: str | None = None


class InspectedChunk(Message):
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
    uncertain: set[int] = Field(default_factory=set)
    """Items with a call whose bill can't be known."""
    expected: list[int] = Field(default_factory=list)
    models: list[str] = Field(default_factory=list)
    model_of: list[int] = Field(default_factory=list)
    queues: list[list[str]] = Field(default_factory=list)
    failed_over: dict[int, int] = Field(default_factory=dict)
    """For each of ``models``, which of its queues is used; not named: the first."""
    alike: int = 0
    """So many refusals with the same code came in a row."""
    alike_code: str | None = None
    insists: bool = False
    """Somebody has said to try the provider at once, whatever is known of its trouble."""
    trust: dict[str, Trust] = Field(default_factory=dict)
    exhausted: bool = False
    cancelled: bool = False
    paused: int = 0
    """Which pause it is in, as the job counts them; 0: none."""
    recalls: int = 0
    """How often what it holds was called back."""
    hold: Hold | None = None
    probes: int = 0


class Watch(BaseModel):
    """Somebody is told what the job hears: the job is to hear only what the chunk's own memo shows."""

    quarters: bool = False
    """The job wants to hear of each quarter of the items."""


class ChunkStart(BaseModel):
    """Start of a chunk, or its state where it continues as new."""

    place: Workplace
    chunk: int
    life: int = 0
    """Which of its lives this is: above 0 the one before it vanished."""
    granted: int = 0
    recalls: int = 0
    paused: int = 0
    """Which pause it starts in; 0: none."""
    trust: dict[str, Trust] = Field(default_factory=dict)
    """What other chunks of the job have found out about the maxima of models."""
    watched: Watch | None = None
    sequence: int = 0
    state: GenerationState | None = None


class ChunkReport(Message):
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
    """What the cheapest item that waits would need."""
    pending_nano: int = 0
    """What it takes to buy the items that wait, as expected."""
    recalls: int = 0
    """How many recalls it has heard."""
    paused: int = 0
    """Which pause it confirms: nothing is under way, and nothing will be until it is resumed; 0: none."""
    starved: bool = False
    """Nothing is under way, and what it holds is returned: only a grant can start an item."""
    spent: Spending = Field(default_factory=dict)
    trust: dict[str, Trust] = Field(default_factory=dict)
    done: ChunkFacts | None = None
    lines: list[ReportLine] = Field(default_factory=list)


class Purse(BaseModel):
    """What a job has of an account: running totals on both sides."""

    granted: int = 0
    returned: int = 0
    told: AccountAsk | None = None
    told_at: datetime | None = None
    answered: int = 0
    """The sequence of the last ask that was answered."""
    short: Literal["day", "month"] | None = None
    left: int = 0
    until: datetime | None = None
    give_back: bool = False
    """A cap was lowered: return all that comes back, before asking again."""


class JobProgress(BaseModel):
    """Where a job stands; goes whole to the next run."""

    summary: JobSummary
    leases: Leases[int]
    purse: Purse = Field(default_factory=Purse)
    """What it has of its tenant's account."""
    schedule_purse: Purse = Field(default_factory=Purse)
    """What it has of its schedule's."""
    recalls: int = 0
    recall_calls: bool = False
    trust: dict[str, Trust] = Field(default_factory=dict)
    stopped: Hold | None = None
    """Nothing is bought until somebody says so."""
    resumed_at: datetime | None = None
    resume_due: bool = False
    """The chunks are still to be told."""
    priority_due: bool = False
    """The same of another priority."""
    chunks: list[PlannedChunk] = Field(default_factory=list)
    planned: bool = False
    next_chunk: int = 0
    lives: dict[int, int] = Field(default_factory=dict)
    reports: dict[int, ChunkReport] = Field(default_factory=dict)
    heard_at: dict[int, datetime] = Field(default_factory=dict)
    facts: list[ChunkFacts] = Field(default_factory=list)
    lines: list[ReportLine] = Field(default_factory=list)
    cancelled: bool = False
    paused: bool = False
    pauses: int = 0
    """How often it was paused: a chunk's word counts for the pause that it was told of."""
    alone: GenerationState | None = None
    """The item of a job that runs it itself."""
    telling: Telling = Field(default_factory=Telling)
    watch_due: bool = False
    """The chunks are still to be told that somebody watches."""


class JobStart(BaseModel):
    """Start of a job, or its state where it continues as new."""

    place: Workplace
    summary: JobSummary
    first_ask_nano: int = 0
    """What to ask of the tenant's account at once, where the maximum is known before the plan is."""
    webhook_events: list[EventType] = Field(default_factory=list)
    """What its webhook is to be told; none: it has no webhook."""
    resume: JobProgress | None = None


class GrantSignal(Message):
    """What a chunk was granted in all, ever, and what others have found out about maxima."""

    granted: int
    trust: dict[str, Trust] = Field(default_factory=dict)


class RecallSignal(BaseModel):
    """Return what is not reserved; this is the so-manieth recall."""

    number: int
    calls: bool = False
    """Give up the reservations of calls that have not been made yet, too."""


class PauseSignal(BaseModel):
    """Start nothing until told; this is the so-manieth pause."""

    number: int


class StoreRefuses(BaseModel):
    """Images that were bought wait in a worker, since the store refuses them; seconds until the next try."""

    wait: float


class PrioritySignal(BaseModel):
    """Another priority; 1 goes first, 5 last."""

    priority: int


class BudgetSignal(BaseModel):
    """Another cap for a job; what is None stays as it is."""

    cap_nano: int | None = None
    on_exhausted: OnExhausted | None = None


class WebhookSignal(BaseModel):
    """What a job's webhook is to be told from now on; nothing where it was removed."""

    events: list[EventType] = Field(default_factory=list)


class RecordsAnswer(Message):
    """The items of a running chunk that have ended or are under way."""

    records: list[ItemRecord]


# --- the tenant's account ------------------------------------------------------------------------


class AccountStart(BaseModel):
    """Start of an account, or its state where it continues as new."""

    tenant: str
    schedule: str | None = None
    """Which schedule's it is; None: the tenant's own."""
    caps: Caps
    times: Times = Field(default_factory=Times)
    updates_a_run: int = 1000
    """It continues as new after so many asks."""
    swept_at: datetime | None = None
    """When it last looked for holders that have vanished; None: look as soon as there is time."""
    resume: TenantAccount | None = None


class AccountTask(BaseModel):
    """Which account: a tenant's, or one of its schedules'."""

    tenant: str
    schedule: str | None = None


class Restored(BaseModel):
    """What was saved of an account that the engine does not know any more."""

    account: TenantAccount | None = None


class SaveTask(BaseModel):
    """Save an account's state, and the totals of its months."""

    account: TenantAccount


class OpenAccountTask(BaseModel):
    """Start an account if it does not run, and tell it what a job asks."""

    tenant: str
    schedule: str | None = None
    ask: AccountAsk


class ReconcileTask(BaseModel):
    """What became of a job that its account has not heard of for long?"""

    tenant: str
    holder: str
    settle_after: float
    """Seconds after a job's end by which what it had under way has surely ended."""


class Reconciled(BaseModel):
    """``spent`` is all that the records of a vanished job show; None: it still runs, or may."""

    spent: Spending | None = None
    exact: bool = True
    """Every chunk has left its results; if not, what was leased and is not in them is to be written off."""


class EstimateTask(BaseModel):
    """Plan a submission without keeping the plan."""

    tenant: str
    job: str
    times: Times = Field(default_factory=Times)


class GalleryTask(BaseModel):
    """Make what a job that has ended is shown by."""

    tenant: str
    job: str
    summary: JobSummary
    times: Times = Field(default_factory=Times)


class Estimated(BaseModel):
    """What planning would find; the bad rows are in the store, since they hold what rows say."""

    plan: Plan
    cheapest_nano: int = 0


InspectedChunk.model_rebuild()
