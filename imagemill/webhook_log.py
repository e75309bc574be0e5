"""The events of a tenant and what became of them: written before the first attempt, and after each one.

events/      the body, as it is sent; never changed
deliveries/  where the delivery stands, and its attempts
log/, jobs/  empty objects whose names list the events, the newest first
"""

import asyncio
from datetime import datetime

from pydantic import BaseModel, Field

from imagemill.domain.errors import ObjectExists, ObjectMissing
from imagemill.domain.places import delivery_key, event_key, webhook_log_prefix
from imagemill.domain.webhook_messages import DeliveryState
from imagemill.domain.webhooks import EventType
from imagemill.ports import ObjectStore

KEPT_ATTEMPTS = 50
SCANNED = 1000
"""So many entries are looked at for one page."""
_AT_ONCE = 20


class LoggedAttempt(BaseModel):
    """One attempt, and what the receiver answered, or in a word why it did not."""

    at: datetime
    seconds: float
    status: int | None = None
    problem: str | None = None


class Delivery(BaseModel):
    """Where the delivery of an event stands."""

    event: str
    job: str
    type: EventType
    host: str
    """Of the address, as it was when the event was made."""
    created_at: datetime
    state: DeliveryState = "pending"
    attempts: list[LoggedAttempt] = Field(default_factory=list)
    """The last of them, the oldest first."""
    next_attempt_at: datetime | None = None

    def add(self, attempt: LoggedAttempt) -> None:
        """Add an attempt; one that was added before, and is told again, changes nothing."""
        if attempt.at not in [known.at for known in self.attempts]:
            self.attempts = [*self.attempts, attempt][-KEPT_ATTEMPTS:]


class Page(BaseModel):
    """Some deliveries, the newest first, and where to go on if there may be more."""

    data: list[Delivery]
    has_more: bool
    last: str | None


class WebhookLog:
    """The log of one tenant."""

    def __init__(self, control: ObjectStore, tenant: str) -> None:
        self._control = control
        self._tenant = tenant

    async def open(self, delivery: Delivery, body: bytes) -> Delivery:
        """Write an event down, once: what was written before stays. Answers what is written."""
        await self._put_new(event_key(self._tenant, delivery.event), body)
        if not await self._put_new(
            delivery_key(self._tenant, delivery.event), delivery.model_dump_json().encode()
        ):
            delivery = await self.delivery(delivery.event)
        name = f"{10**14 - int(delivery.created_at.timestamp() * 1000):015d}-{delivery.event}"
        for prefix in (
            webhook_log_prefix(self._tenant),
            webhook_log_prefix(self._tenant, delivery.job),
        ):
            await self._control.put(prefix + name, b"")
        return delivery

    async def body(self, event: str) -> bytes:
        """What is sent. Raises ObjectMissing."""
        return await self._control.get(event_key(self._tenant, event))

    async def delivery(self, event: str) -> Delivery:
        """Where it stands. Raises ObjectMissing."""
        return Delivery.model_validate_json(await self._control.get(delivery_key(self._tenant, event)))

    async def save(self, delivery: Delivery) -> None:
        """Write down where it stands now; only the event's own delivery does that."""
        await self._control.put(
            delivery_key(self._tenant, delivery.event), delivery.model_dump_json().encode()
        )

    async def page(
        self, *, job: str | None, state: DeliveryState | None, after: str | None, limit: int
    ) -> Page:
        """The next deliveries after an entry; a page of fewer than the limit need not be the last."""
        prefix = webhook_log_prefix(self._tenant, job)
        found: list[Delivery] = []
        last: str | None = None
        names, more = await self._names(prefix, after, SCANNED if state else limit)
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            for name, delivery in zip(some, await self._read(some), strict=True):
                if len(found) == limit:
                    return Page(data=found, has_more=True, last=last)
                last = name
                if delivery and state in (None, delivery.state):
                    found.append(delivery)
        return Page(data=found, has_more=more, last=last)

    async def _names(self, prefix: str, after: str | None, most: int) -> tuple[list[str], bool]:
        names: list[str] = []
        async for key in self._control.keys(prefix, prefix + after if after else ""):
            if len(names) == most:
                return names, True
            names.append(key.removeprefix(prefix))
        return names, False

    async def _read(self, names: list[str]) -> list[Delivery | None]:
        return await asyncio.gather(*(self._known(name.partition("-")[2]) for name in names))

    async def _known(self, event: str) -> Delivery | None:
        try:
            return await self.delivery(event)
        except ObjectMissing:
            return None

    async def _put_new(self, key: str, data: bytes) -> bool:
        try:
            await self._control.put_new(key, data)
        except ObjectExists:
            return False
        return True
