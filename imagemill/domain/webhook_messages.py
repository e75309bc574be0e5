"""What travels through the engine for webhooks: ids, counts and hashes; never an address or a secret."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from imagemill.domain.messages import Times
from imagemill.domain.webhooks import WAITS, Notice

WEBHOOK = "imagemill.webhook"
EMIT = "webhook.emit"
DELIVER = "webhook.deliver"
RECORD = "webhook.record"
REDELIVER = "redeliver"

WEBHOOK_QUEUE = "webhooks"
"""Deliveries wait here, so that slow receivers keep nothing waiting but each other."""

DeliveryState = Literal["pending", "delivered", "failed", "disabled"]


def delivery_workflow_id(event: str) -> str:
    """The workflow id of an event's delivery."""
    return f"webhook/{event}"


class EmitTask(BaseModel):
    """Write an event down and start its delivery."""

    tenant: str
    job: str
    notice: Notice


class WebhookStart(BaseModel):
    """Start of a delivery."""

    tenant: str
    event: str
    waits: list[float] = Field(default_factory=lambda: list(WAITS))
    """Seconds before each attempt."""
    insists: bool = False
    """Send even to a target that is disabled: somebody asks for it."""
    times: Times = Field(default_factory=Times)


class DeliverTask(BaseModel):
    """Make one attempt."""

    tenant: str
    event: str
    insists: bool = False


class Attempt(BaseModel):
    """One attempt, and what came of it.

    ``status`` is what the receiver answered; ``problem`` says why there is none, or why it does not count.
    ``target`` is the hash of the address.
    """

    kind: Literal["delivered", "again", "gone", "disabled", "busy"]
    at: datetime
    seconds: float = 0
    status: int | None = None
    problem: str | None = None
    retry_after: float | None = None
    target: str | None = None


class RecordTask(BaseModel):
    """Write down an attempt, and where the delivery stands after it."""

    tenant: str
    event: str
    state: DeliveryState
    attempt: Attempt
    next_attempt_at: datetime | None = None
