"""What is said of webhooks, and what they say."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import Field

from imagemill_client.models._base import Answer, Page, Problem
from imagemill_client.models.jobs import ENDED, Hold, ItemCounts


class EventCost(Answer):
    """The money of a job, as an event tells it."""

    settled_usd: Decimal
    written_off_usd: Decimal
    committed_usd: Decimal
    limit_usd: Decimal


class EventJob(Answer):
    """The job that an event is about, as it was at that moment: ids, counts and sums."""

    id: str
    name: str | None = None
    state: str
    items: ItemCounts
    images: int = 0
    cost: EventCost
    links: Mapping[str, str] = {}
    hold: Hold | None = None
    failure: Problem | None = None
    percent: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


class Event(Answer):
    """A verified webhook.

    Attributes:
        id: the same with every attempt: remember it to take an event once.
        type: ``job.completed``, ``job.held`` and so on; more may come.
    """

    id: str
    type: str
    timestamp: datetime
    data: EventJob


class DeliveryAttempt(Answer):
    """One attempt at a delivery, and what the receiver answered."""

    at: datetime
    seconds: float
    status: int | None = None
    problem: str | None = None


class Delivery(Answer):
    """An event, and what became of it: ``pending``, ``delivered``, ``failed`` or ``disabled``."""

    id: str
    job: str
    type: str
    state: str
    host: str
    created_at: datetime
    next_attempt_at: datetime | None
    attempts: tuple[DeliveryAttempt, ...]
    event: Mapping[str, Any] | None = None
    """What is sent; only where one delivery is asked for."""


class DeliveryPage(Page):
    """A page of deliveries, the newest first."""

    data: tuple[Delivery, ...]


class DisabledTarget(Answer):
    """A receiver that answered 410 and is sent nothing any more."""

    target: str
    host: str
    at: datetime
    event: str


class DisabledPage(Page):
    """A page of such receivers."""

    data: tuple[DisabledTarget, ...]


class WebhookSecret(Answer):
    """The secret that signs, and until when each older one signs too."""

    secret: str = Field(repr=False)
    created_at: datetime
    old_expire_at: tuple[datetime, ...] = ()
