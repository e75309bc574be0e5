"""What is said of jobs."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from imagemill_client.models._base import Answer, Page, Problem

ENDED = frozenset({"completed", "completed_with_errors", "cancelled", "failed", "duplicate"})
"""States in which nothing more happens."""


class ItemCounts(Answer):
    """Items by state; the total is unknown until the manifest has been read."""

    total: int | None
    pending: int | None
    running: int
    succeeded: int
    blocked: int
    failed: int
    skipped: int
    cancelled: int
    reused: int = 0
    """Of those that succeeded: answered before, and not bought again."""

    @property
    def done(self) -> int:
        """Items that have reached their end state."""
        return self.succeeded + self.blocked + self.failed + self.skipped + self.cancelled


class Cost(Answer):
    """The money of a job, in US dollars.

    Attributes:
        settled_usd: billed, by the provider's own count.
        reserved_usd: set aside for calls under way.
        written_off_usd: counted as spent, since the bill of those calls can't be known.
        committed_usd: the most that can be on the bill by now.
        limit_usd: the cap.
    """

    settled_usd: Decimal
    reserved_usd: Decimal
    written_off_usd: Decimal
    committed_usd: Decimal
    limit_usd: Decimal

    @property
    def spent_usd(self) -> Decimal:
        """What is gone: settled and written off."""
        return self.settled_usd + self.written_off_usd


class Hold(Answer):
    """What the service stopped for by itself, and what would let it go on."""

    code: str
    detail: str
    since: datetime
    next_probe: datetime | None = None
    smallest_usd: Decimal | None = None
    likely_usd: Decimal | None = None
    until: datetime | None = None


class Estimate(Answer):
    """What items cost: at least, as expected, and at most, which is what is reserved."""

    low_usd: Decimal
    expected_usd: Decimal
    high_usd: Decimal
    uncertain: tuple[str, ...] = ()
    reused: int = 0
    """Items that were answered before, and cost nothing."""


class InvalidRow(Answer):
    """A row of a manifest that could not be turned into a request."""

    line: int | None
    custom_id: str
    detail: str


class InvalidRows(Answer):
    """The bad rows of a manifest: how many, and the first of them."""

    count: int
    first: tuple[InvalidRow, ...]
    errors_url: str | None = None
    """Of a validation: the path where all of them are."""


class FoundManifest(Answer):
    """What the source of a manifest led to, when the job was planned."""

    place: str
    bytes: int
    sha256: str
    etag: str | None = None
    modified_at: datetime | None = None


class JobStatus(Answer):
    """A job as it stood when the service was asked."""

    id: str
    name: str | None
    state: str
    priority: int
    retry_of: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    items: ItemCounts
    images: int
    uncertain: int
    """Items with a call whose bill can't be known."""
    cost: Cost
    estimate: Estimate | None
    warnings: tuple[str, ...]
    images_per_minute: float | None
    seconds_left: float | None
    hold: Hold | None
    failure: Problem | None
    invalid_rows: InvalidRows | None
    metadata: Mapping[str, str] = {}
    links: Mapping[str, str] = {}
    manifest: FoundManifest | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


class JobLine(Answer):
    """A job in a list. Counts and sums are there once it has ended."""

    id: str
    name: str | None
    state: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    metadata: Mapping[str, str] = {}
    total: int | None = None
    items: ItemCounts | None = None
    settled_usd: Decimal | None = None
    written_off_usd: Decimal | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


class JobPage(Page):
    """A page of jobs, the newest first."""

    data: tuple[JobLine, ...]


class Validation(Answer):
    """What a submission would cost, and what is wrong with its rows. Nothing was started.

    Attributes:
        enough: is the cap enough for all items? ``surely``, ``likely``, ``not_for_all``, ``not_for_any``.
        failure: why the job would fail before it buys anything.
    """

    id: str
    items: int
    invalid_rows: InvalidRows | None
    estimate: Estimate
    limit_usd: Decimal
    enough: str
    failure: Problem | None
    warnings: tuple[str, ...]
    reused: int = 0
    """Items that would cost nothing, since they were answered before."""
    manifest: FoundManifest | None = None


class ReportLine(Answer):
    """The items of one model that ended in one state."""

    model: str
    state: str
    items: int
    images: int
    settled_usd: Decimal
    written_off_usd: Decimal
    uncertain: int


class Drift(Answer):
    """Calls of a model that cost more than was reserved for them."""

    model: str
    calls: int
    above_usd: Decimal
    factor: Decimal


class Report(Answer):
    """The receipt of a job that has ended."""

    job: str
    name: str | None
    state: str
    created_at: datetime
    ended_at: datetime | None
    items: ItemCounts
    images: int
    uncertain: int
    limit_usd: Decimal
    settled_usd: Decimal
    written_off_usd: Decimal
    vanished_usd: Decimal
    estimate: Estimate | None
    lines: tuple[ReportLine, ...]
    drift: tuple[Drift, ...]
    price_table: str | None


class Share(Answer):
    """Links to a finished job's gallery and contact sheet, which expire. Who has one can look."""

    gallery_url: str
    contact_sheet_url: str | None = None
    expires_at: datetime
