"""Signed events of the fake, as a receiver gets them."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime

from imagemill_client.testing._answers import event as body_of
from imagemill_client.testing._world import FakeJob
from imagemill_client.webhooks import sign

DEFAULT = ("job.completed", "job.failed", "job.cancelled", "job.held")
_TOLD = {
    "running": "job.running",
    "held": "job.held",
    "completed": "job.completed",
    "completed_with_errors": "job.completed",
    "failed": "job.failed",
    "cancelled": "job.cancelled",
}


@dataclass(frozen=True, slots=True)
class FakeEvent:
    """An event, to be posted to the receiver: these headers, and this body as it is."""

    id: str
    type: str
    job: str
    at: datetime
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class Secrets:
    """What events are signed with: the first by all of them while one replaces another."""

    made_at: datetime
    current: str = field(default="whsec_" + "ZmFrZQ" * 6, repr=False)
    old: list[str] = field(default_factory=list, repr=False)
    rotations: int = 0

    def rotate(self, secret: str | None, *, keep: bool, now: datetime) -> None:
        """Another secret; the ones before go on signing, or don't."""
        self.rotations += 1
        self.old = [self.current, *self.old] if keep else []
        self.current = secret or f"whsec_{hashlib.sha256(str(self.rotations).encode()).hexdigest()[:48]}"
        self.made_at = now


def make_event(job: FakeJob, kind: str, now: datetime, secrets: Secrets) -> FakeEvent:
    """An event about a job as it is now."""
    digest = hashlib.sha256(f"{job.id}/{kind}/{job.told[kind]}".encode()).hexdigest()
    name, sent = f"evt_{digest[:32]}", int(now.timestamp())
    body = json.dumps(body_of(job, kind, now), separators=(",", ":")).encode()
    signatures = [sign(secret, name, sent, body) for secret in (secrets.current, *secrets.old)]
    headers = {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(sent),
        "webhook-signature": " ".join(signatures),
    }
    return FakeEvent(name, kind, job.id, now, body, headers)


def events_due(job: FakeJob, now: datetime, secrets: Secrets) -> list[FakeEvent]:
    """What a job's webhook is told when it has come into its state."""
    kind = _TOLD.get(job.state)
    if job.webhook is None or kind is None or kind not in job.webhook.get("events", DEFAULT):
        return []
    job.told[kind] += 1
    return [make_event(job, kind, now, secrets)]
