"""imagemill.webhook: the delivery of one event to one receiver.

1. wait, and make an attempt; the waits are durable timers;
2. write down what came of it;
3. go on until it is delivered, the receiver is gone, or the schedule has run out.

A redelivery starts the schedule anew, in this run or in another of the same id.
"""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.messages import Nothing
    from imagemill.domain.webhook_messages import (
        DELIVER,
        RECORD,
        REDELIVER,
        WEBHOOK,
        Attempt,
        DeliverTask,
        DeliveryState,
        RecordTask,
        WebhookStart,
    )
    from imagemill.domain.webhooks import JITTER
    from workflows import policies

BUSY_WAITS = (1.0, 2, 4, 8, 16, *[30.0] * 20)
"""Seconds between looks whether the receiver has time for one more; after these, an attempt has failed."""

MOST_PATIENCE = 86_400.0
"""Seconds that a receiver's Retry-After can put off an attempt for."""


@workflow.defn(name=WEBHOOK)
class WebhookWorkflow:
    """One a delivery; its id names the event."""

    @workflow.init
    def __init__(self, start: WebhookStart) -> None:
        self.start = start
        self._insists = start.insists
        self._again = False

    @workflow.run
    async def run(self, start: WebhookStart) -> Nothing:
        """Go through the schedule; anew when somebody asks for it meanwhile."""
        state: DeliveryState = "pending"
        while state == "pending" or self._again:
            if policies.history_is_long():
                workflow.continue_as_new(start.model_copy(update={"insists": self._insists}))
            self._again = False
            state = await self._go_through()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return Nothing()

    @workflow.signal(name=REDELIVER)
    def redeliver(self) -> None:
        """Somebody wants it delivered now, even to a target that is disabled."""
        self._insists = self._again = True

    async def _go_through(self) -> DeliveryState:
        """All attempts of a schedule. ``pending``: it was asked for anew."""
        pause: float | None = self._jittered(0)
        number = 0
        state: DeliveryState = "pending"
        while pause is not None:
            if await self._asked_anew_within(pause):
                return "pending"
            attempt = await self._attempt()
            if attempt.kind == "delivered":
                self._again = False  # whoever asked for it meanwhile has got it
            number += 1
            pause = self._next_pause(number, attempt)
            state = _state_after(attempt, is_last=pause is None)
            following = None if pause is None else workflow.now() + timedelta(seconds=pause)
            await self._record(state, attempt, following)
        return state

    def _jittered(self, number: int) -> float:
        return self.start.waits[number] * workflow.random().uniform(1 - JITTER, 1 + JITTER)

    def _next_pause(self, number: int, attempt: Attempt) -> float | None:
        """Seconds until the next attempt, by the schedule or as the receiver asks; None: there is none."""
        if attempt.kind not in ("again", "busy") or number >= len(self.start.waits):
            return None
        return max(self._jittered(number), min(attempt.retry_after or 0, MOST_PATIENCE))

    async def _asked_anew_within(self, seconds: float) -> bool:
        if seconds <= 0:
            return False
        try:
            await workflow.wait_condition(lambda: self._again, timeout=seconds)
        except TimeoutError:
            return False
        return True

    async def _attempt(self) -> Attempt:
        for wait in (*BUSY_WAITS, None):
            task = DeliverTask(tenant=self.start.tenant, event=self.start.event, insists=self._insists)
            attempt: Attempt = await workflow.execute_activity(
                DELIVER, task, result_type=Attempt, **policies.delivery(self.start.times, self.start.tenant)
            )
            if attempt.kind != "busy" or wait is None:
                break
            await workflow.sleep(wait)
        return attempt

    async def _record(self, state: DeliveryState, attempt: Attempt, following: datetime | None) -> None:
        workflow.set_current_details(f"{state}; the last attempt: {attempt.status or attempt.problem}")
        await workflow.execute_activity(
            RECORD,
            RecordTask(
                tenant=self.start.tenant,
                event=self.start.event,
                state=state,
                attempt=attempt,
                next_attempt_at=following,
            ),
            result_type=Nothing,
            **policies.account_bookkeeping(self.start.times),
        )


def _state_after(attempt: Attempt, *, is_last: bool) -> DeliveryState:
    match attempt.kind:
        case "delivered":
            return "delivered"
        case "gone" | "disabled":
            return "disabled"
        case _:
            return "failed" if is_last else "pending"
