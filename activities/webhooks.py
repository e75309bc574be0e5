"""Webhooks: writing an event down, one attempt at its delivery, and writing down what came of it."""

import time
from collections import Counter
from datetime import UTC, datetime

from temporalio import activity

from activities.heartbeat import heartbeats
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.messages import Nothing, Times
from imagemill.domain.webhook_messages import (
    DELIVER,
    EMIT,
    RECORD,
    Attempt,
    DeliverTask,
    EmitTask,
    RecordTask,
    WebhookStart,
)
from imagemill.domain.webhooks import body_of, event_id
from imagemill.ports import Engine, Letter, ObjectStore, Receipt, WebhookSender
from imagemill.webhook_log import Delivery, LoggedAttempt, WebhookLog
from imagemill.webhook_secrets import ring_of
from imagemill.webhook_targets import (
    Disabled,
    Target,
    TargetRules,
    disable,
    enable,
    is_disabled,
    target_of,
)

BEAT_SECONDS = 1.0
"""Between two heartbeats of an attempt: a receiver may take longer than the engine waits for one."""

AT_ONE_HOST = 4
"""So many attempts of one tenant and worker are under way at one host; a slow one leaves room for others."""

SHARE = 4
"""A tenant takes one in so many of a worker's places at the most; so does a host, of all tenants together."""


class Emission:
    """Events, as the job's workflow tells them."""

    def __init__(
        self, control: ObjectStore, engine: Engine, rules: TargetRules, waits: list[float], times: Times
    ) -> None:
        self._control = control
        self._engine = engine
        self._rules = rules
        self._waits = waits
        self._times = times

    @activity.defn(name=EMIT)
    async def emit(self, task: EmitTask) -> Nothing:
        """Write an event down, then start its delivery; whatever of it was done before stays as it is."""
        async with heartbeats():
            target = await target_of(self._control, task.tenant, task.job)
            if target and task.notice.type in target.events:
                await self._emit(task, target)
            return Nothing()

    async def _emit(self, task: EmitTask, target: Target) -> None:
        notice = task.notice
        delivery = Delivery(
            event=event_id(task.job, notice.type, notice.number),
            job=task.job,
            type=notice.type,
            host=self._rules.host(target.url) or "",
            created_at=notice.at,
        )
        if await is_disabled(self._control, task.tenant, target.hash):
            delivery.state = "disabled"
        log = WebhookLog(self._control, task.tenant)
        delivery = await log.open(delivery, body_of(task.job, notice))
        if delivery.state == "pending":
            await self._engine.start_delivery(
                WebhookStart(tenant=task.tenant, event=delivery.event, waits=self._waits, times=self._times)
            )


class Deliveries:
    """Attempts at deliveries, and the record of them."""

    def __init__(
        self, control: ObjectStore, sender: WebhookSender, rules: TargetRules, at_once: int = 64
    ) -> None:
        """``at_once`` is how many attempts this worker makes at a time."""
        self._control = control
        self._sender = sender
        self._rules = rules
        self._share = max(1, at_once // SHARE)
        self._under_way: Counter[tuple[str | None, str | None]] = Counter()

    @activity.defn(name=DELIVER)
    async def deliver(self, task: DeliverTask) -> Attempt:
        """Make one attempt. What the receiver does is an answer; what is raised is the store's trouble."""
        async with heartbeats(BEAT_SECONDS):
            began, at = time.monotonic(), datetime.now(UTC)
            attempt = await self._attempt(task, at)
            return attempt.model_copy(update={"seconds": round(time.monotonic() - began, 3)})

    @activity.defn(name=RECORD)
    async def record(self, task: RecordTask) -> Nothing:
        """Write down an attempt, and what it says of the target."""
        async with heartbeats():
            log = WebhookLog(self._control, task.tenant)
            try:
                delivery = await log.delivery(task.event)
            except ObjectMissing:
                return Nothing()
            said = task.attempt
            delivery.add(
                LoggedAttempt(at=said.at, seconds=said.seconds, status=said.status, problem=said.problem)
            )
            delivery.state, delivery.next_attempt_at = task.state, task.next_attempt_at
            await self._note_target(task, delivery)
            await log.save(delivery)
            return Nothing()

    async def _attempt(self, task: DeliverTask, at: datetime) -> Attempt:
        """The target and the secrets as they are now."""
        log = WebhookLog(self._control, task.tenant)
        try:
            delivery, body = await log.delivery(task.event), await log.body(task.event)
        except ObjectMissing:
            return Attempt(kind="disabled", at=at, problem="event_missing")
        target = await target_of(self._control, task.tenant, delivery.job)
        if target is None:
            return Attempt(kind="disabled", at=at, problem="webhook_removed")
        if not task.insists and await is_disabled(self._control, task.tenant, target.hash):
            return Attempt(kind="disabled", at=at, problem="target_disabled")
        host = self._rules.host(target.url)
        if host is None or not await self._rules.may_call(task.tenant, host):
            return Attempt(kind="again", at=at, problem="address_refused")
        if self._is_busy(task.tenant, host):
            return Attempt(kind="busy", at=at, problem="receiver_busy")
        ring = await ring_of(self._control, task.tenant, at)
        letter = Letter(task.event, body, [each.secret for each in ring.signing(at)])
        places = [(task.tenant, host), (task.tenant, None), (None, host)]
        self._under_way.update(places)
        try:
            receipt = await self._sender.send(target.url, letter)
        finally:
            self._under_way.subtract(places)
            self._under_way += Counter()  # without those at none
        return _judged(receipt, at, target.hash)

    def _is_busy(self, tenant: str, host: str) -> bool:
        """Would one more keep others from their turn, if the receiver took its time?"""
        under_way = self._under_way
        return (
            under_way[tenant, host] >= min(AT_ONE_HOST, self._share)
            or under_way[tenant, None] >= self._share
            or under_way[None, host] >= self._share
        )

    async def _note_target(self, task: RecordTask, delivery: Delivery) -> None:
        """A receiver that is gone is left alone from now on; one that takes an event is there."""
        attempt = task.attempt
        if attempt.target is None:
            return
        if attempt.kind == "gone":
            gone = Disabled(target=attempt.target, host=delivery.host, at=attempt.at, event=task.event)
            await disable(self._control, task.tenant, gone)
        elif attempt.kind == "delivered":
            await enable(self._control, task.tenant, attempt.target)


def _judged(receipt: Receipt, at: datetime, target: str) -> Attempt:
    """2xx is delivered, 410 is gone; whatever else it is, redirects included, is tried again."""
    attempt = Attempt(
        kind="again",
        at=at,
        status=receipt.status,
        problem=receipt.problem,
        retry_after=receipt.retry_after,
        target=target,
    )
    if receipt.status == 410:
        attempt.kind = "gone"
    elif receipt.status and 200 <= receipt.status < 300:
        attempt.kind = "delivered"
    elif receipt.status and 300 <= receipt.status < 400:
        attempt.problem = "redirected"
    return attempt
