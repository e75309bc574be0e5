"""What is said of items."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import Field

from imagemill_client.models._base import Answer, Page, Problem

ENDED_ITEMS = frozenset({"succeeded", "blocked", "failed", "skipped", "cancelled"})
"""States in which nothing more happens to an item."""


class Copy(Answer):
    """A rendition of an image, beside it in the delivery bucket."""

    key: str
    width: int
    height: int
    format: str


class Image(Answer):
    """One image: where it lies in the delivery bucket, and an address that shows it for an hour."""

    key: str
    sha256: str
    bytes: int
    width: int
    height: int
    format: str
    c2pa: bool = False
    renditions: Mapping[str, Copy] = {}
    """Smaller copies by their names; `image(…, rendition=…)` fetches one."""
    url: str = Field(repr=False)


class Attempt(Answer):
    """One reservation of an item, and what became of it.

    Attributes:
        outcome: ``settled``, ``released``, ``written_off`` or ``recovered``.
        drift_usd: what it cost above its reservation.
        request_id: the provider's own id of the request.
    """

    reservation: str
    outcome: str
    reserved_usd: Decimal
    cost_usd: Decimal
    drift_usd: Decimal = Decimal(0)
    code: str | None = None
    request_id: str | None = None


class ReusedFrom(Answer):
    """The item whose image was taken instead of buying one."""

    job: str
    custom_id: str
    variant: str | None = None


class Item(Answer):
    """One item, and what became of it.

    Attributes:
        uncertain_usd: the part of the cost that was written off.
        estimated: the provider sent no count; the reservation is charged.
    """

    custom_id: str
    variant: str | None = None
    line: int | None = None
    state: str
    model: str | None = None
    images: tuple[Image, ...] = ()
    cost_usd: Decimal
    uncertain_usd: Decimal = Decimal(0)
    estimated: bool = False
    error: Problem | None = None
    warnings: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    reused_from: ReusedFrom | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED_ITEMS


class ItemPage(Page):
    """A page of items, in the order of the manifest.

    ``stale``: no worker answers, so that items which have just ended may still read as pending.
    """

    data: tuple[Item, ...]
    stale: bool = False
