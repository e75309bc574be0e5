"""What is read of the service's answers. They only ever gain fields, so that unknown ones are no error."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel


class ItemCounts(BaseModel):
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

    @property
    def done(self) -> int:
        """Items that have reached their end state."""
        return self.succeeded + self.blocked + self.failed + self.skipped + self.cancelled


class Cost(BaseModel):
    """Money in US dollars."""

    settled_usd: Decimal
    reserved_usd: Decimal
    written_off_usd: Decimal
    committed_usd: Decimal
    limit_usd: Decimal

    @property
    def spent(self) -> Decimal:
        """What is gone: paid for images, and paid for nothing as far as is known."""
        return self.settled_usd + self.written_off_usd


class Hold(BaseModel):
    """What the service stopped for by itself, and what would let it go on."""

    code: str
    detail: str
    since: datetime
    next_probe: datetime | None
    smallest_usd: Decimal | None
    likely_usd: Decimal | None
    until: datetime | None


class Estimate(BaseModel):
    """What items cost: at least, as expected, and at most."""

    low_usd: Decimal
    expected_usd: Decimal
    high_usd: Decimal
    uncertain: list[str]


class Problem(BaseModel):
    """Why something failed."""

    code: str
    detail: str


class InvalidRow(BaseModel):
    """A row of the manifest that could not be turned into a request."""

    line: int | None
    custom_id: str
    detail: str


class InvalidRows(BaseModel):
    """The bad rows: how many, and the first of them."""

    count: int
    first: list[InvalidRow]


class Job(BaseModel):
    """The status of a job."""

    id: str
    name: str | None
    state: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    items: ItemCounts
    images: int
    uncertain: int
    cost: Cost
    estimate: Estimate | None
    warnings: list[str]
    images_per_minute: float | None
    seconds_left: float | None
    hold: Hold | None
    failure: Problem | None
    invalid_rows: InvalidRows | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.ended_at is not None

    @property
    def seconds(self) -> float | None:
        """How long it ran, once it has ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


class Validation(BaseModel):
    """What a submission would cost, and what is wrong with its rows."""

    items: int
    invalid_rows: InvalidRows | None
    estimate: Estimate
    limit_usd: Decimal
    enough: str
    failure: Problem | None
    warnings: list[str]
    reused: int = 0

    @property
    def most(self) -> Decimal:
        """What may be spent: all items at their most, or the cap if that is less."""
        return min(self.limit_usd, self.estimate.high_usd)


class Image(BaseModel):
    """One image: where it lies, what it must hash to, and an address that shows it for an hour."""

    key: str
    sha256: str
    bytes: int
    url: str
    format: str = ""


class Item(BaseModel):
    """One item; its other fields are passed on as they came."""

    custom_id: str
    variant: str | None = None
    state: str
    images: list[Image]
    reused_from: dict[str, Any] | None = None


class ItemPage(BaseModel):
    """A page of items."""

    data: list[dict[str, Any]]
    has_more: bool
    last: str | None


class File(BaseModel):
    """An uploaded file."""

    id: str
    filename: str = ""
    bytes: int = 0
    sha256: str | None = None
    created_at: datetime | None = None


class Attempt(BaseModel):
    """One reservation of an item, and what became of it."""

    outcome: str
    reserved_usd: Decimal
    cost_usd: Decimal
    code: str | None
    request_id: str | None


class ItemBill(BaseModel):
    """What an item cost, and why."""

    custom_id: str
    variant: str | None
    state: str
    cost_usd: Decimal
    uncertain_usd: Decimal
    error: Problem | None
    attempts: list[Attempt]


class ReportLine(BaseModel):
    """The items of one model that ended in one state."""

    model: str
    state: str
    items: int
    images: int
    settled_usd: Decimal
    written_off_usd: Decimal
    uncertain: int


class Drift(BaseModel):
    """Calls of a model that cost more than was reserved for them."""

    model: str
    calls: int
    above_usd: Decimal
    factor: Decimal


class Report(BaseModel):
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
    lines: list[ReportLine]
    drift: list[Drift]
    price_table: str | None


class Spend(BaseModel):
    """Money spent."""

    settled_usd: Decimal
    written_off_usd: Decimal

    @property
    def all(self) -> Decimal:
        """What counts against a cap."""
        return self.settled_usd + self.written_off_usd


class Window(Spend):
    """A cap, and what is left of it in the window that is open now; None: there is no cap."""

    limit_usd: Decimal | None
    left_usd: Decimal | None
    ends_at: datetime


class DaySpend(Spend):
    """What was spent on a day."""

    date: date


class JobSpend(Spend):
    """What a job has spent in all."""

    id: str
    name: str | None
    state: str


class Usage(Spend):
    """What a tenant has spent, and what its caps leave."""

    tenant: str
    time_zone: str
    first: date
    last: date
    day: Window
    month: Window
    leased_usd: Decimal
    days: list[DaySpend]
    models: dict[str, Spend]
    jobs: list[JobSpend]


class Caps(BaseModel):
    """A tenant's caps; None: there is none."""

    tenant: str
    day_usd: Decimal | None
    month_usd: Decimal | None
    time_zone: str
