"""What the fake service knows: jobs, items, files, schedules. It has no clock but the test's."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from imagemill_client.models import ENDED, ENDED_ITEMS
from imagemill_client.testing._png import SIDE, png

Json = dict[str, Any]
STATES = ("pending", "running", "succeeded", "blocked", "failed", "skipped", "cancelled")


@dataclass(slots=True)
class FakeItem:
    """One item. ``state`` is `pending` until it ends."""

    custom_id: str
    prompt: str
    model: str
    variant: str | None = None
    line: int | None = None
    n: int = 1
    state: str = "pending"
    code: str | None = None
    detail: str = ""
    cost: Decimal = Decimal(0)

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in ENDED_ITEMS

    def picture(self, n: int) -> bytes:
        """Its image of that number, from 1."""
        return png(f"{self.custom_id}/{self.variant}/{n}/{self.prompt}")

    def key(self, job: str, n: int) -> str:
        """Where that image lies in the delivery bucket."""
        name = f"{self.variant}-{n}" if self.variant else str(n)
        return f"images/{job}/{self.custom_id}/{name}.png"

    def facts(self, job: str, n: int, url: str) -> Json:
        """That image as the service tells of it."""
        data = self.picture(n)
        return {
            "key": self.key(job, n),
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "width": SIDE,
            "height": SIDE,
            "format": "png",
            "c2pa": False,
            "url": url,
        }


@dataclass(slots=True)
class FakeJob:
    """One job, as a test sees and changes it."""

    id: str
    body: Json
    items: list[FakeItem]
    created_at: datetime
    limit: Decimal
    price: Decimal
    state: str = "queued"
    priority: int = 3
    started_at: datetime | None = None
    ended_at: datetime | None = None
    hold: Json | None = None
    failure: Json | None = None
    retry_of: str | None = None
    webhook: Json | None = None
    version: int = 0
    """Counts changes; the entity tag of its status."""
    told: Counter[str] = field(default_factory=Counter)

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in ENDED

    @property
    def spent(self) -> Decimal:
        """US dollars."""
        return sum((item.cost for item in self.items), Decimal(0))

    @property
    def counts(self) -> Counter[str]:
        """Items by state."""
        return Counter(item.state for item in self.items)

    def waiting(self) -> Iterator[FakeItem]:
        """The items that have not ended, in order."""
        return (item for item in self.items if not item.ended)

    def affords(self, item: FakeItem) -> bool:
        """Does the cap leave enough for an item?"""
        return self.spent + self.price * item.n <= self.limit
