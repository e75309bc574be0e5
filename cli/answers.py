"""What is read of the service's answers. They only ever gain fields, so that unknown ones are no error."""

from datetime import datetime
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

    @property
    def done(self) -> int:
        """Items that have reached their end state."""
        return self.succeeded + self.blocked + self.failed + self.skipped + self.cancelled


class Cost(BaseModel):
    """Money in US dollars."""

    settled_usd: Decimal
    reserved_usd: Decimal
    written_off_usd: Decimal
    limit_usd: Decimal

    @property
    def spent(self) -> Decimal:
        """What is gone: paid for images, and paid for nothing as far as is known."""
        return self.settled_usd + self.written_off_usd


class Hold(BaseModel):
    """What the service stopped for by itself."""

    code: str
    detail: str


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
    cost: Cost
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


class Image(BaseModel):
    """One image: where it lies, what it must hash to, and an address that shows it for an hour."""

    key: str
    sha256: str
    bytes: int
    url: str


class Item(BaseModel):
    """One item; its other fields are passed on as they came."""

    custom_id: str
    state: str
    images: list[Image]


class ItemPage(BaseModel):
    """A page of items."""

    data: list[dict[str, Any]]
    has_more: bool
    last: str | None


class File(BaseModel):
    """An uploaded file."""

    id: str
