"""Every timeout and retry policy, each with its reason."""

from datetime import timedelta
from typing import TypedDict

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType

from imagemill.domain.messages import Times, Workplace
from imagemill.domain.webhook_messages import WEBHOOK_QUEUE

UNKNOWN_OUTCOMES = ["OutcomeUnknown", "TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat"]
"""Failures of a paid call that the engine must not retry: the call may have been billed."""

CONTINUE_AS_NEW_EVENTS = 10_000
"""Own threshold: well under the engine's 51,200, since a drain adds events after it is noticed."""


class ActivityOptions(TypedDict, total=False):
    """The keyword arguments of ``workflow.execute_activity`` that a policy sets."""

    task_queue: str
    schedule_to_close_timeout: timedelta
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType
    priority: Priority


def account_bookkeeping(times: Times) -> ActivityOptions:
    """The steps of a tenant's account: as patient as those of a job."""
    return {
        "start_to_close_timeout": timedelta(seconds=times.start_to_close),
        "heartbeat_timeout": timedelta(seconds=times.heartbeat_timeout),
        "retry_policy": _UNTIL_DONE,
    }


def queue_rate(times: Times) -> ActivityOptions:
    """Setting a queue's rate: given up after some tries, since the gates keep the pace without it."""
    return account_bookkeeping(times) | {"retry_policy": RetryPolicy(maximum_attempts=5)}


def gallery(times: Times) -> ActivityOptions:
    """A job's gallery: given up after some tries, since somebody waits for it, and can ask again."""
    return account_bookkeeping(times) | {"retry_policy": RetryPolicy(maximum_attempts=3)}


_UNTIL_DONE = RetryPolicy(
    initial_interval=timedelta(seconds=0.5), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
)


def bookkeeping(place: Workplace) -> ActivityOptions:
    """Plans, results, reports: cheap and idempotent, so they are tried until they succeed.

    They heartbeat, so that a dead worker is noticed long before the generous start-to-close, which
    a plan of a million rows needs.
    """
    return {
        "start_to_close_timeout": timedelta(seconds=place.times.start_to_close),
        "heartbeat_timeout": timedelta(seconds=place.times.heartbeat_timeout),
        "retry_policy": _UNTIL_DONE,
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        "priority": priority(place),
    }


def telling(place: Workplace) -> ActivityOptions:
    """Writing an event down: as patient as other bookkeeping, but a day later the job ends without it."""
    return bookkeeping(place) | {"schedule_to_close_timeout": timedelta(days=1)}


def delivery(times: Times, tenant: str) -> ActivityOptions:
    """One attempt at a webhook, on a queue of its own: slow receivers keep no other step waiting.

    Tenants take turns. What a receiver does is an answer, and is tried again by the delivery's own
    schedule; what fails here is the store or the worker.
    """
    return account_bookkeeping(times) | {
        "task_queue": WEBHOOK_QUEUE,
        "priority": Priority(fairness_key=tenant),
    }


def paid_call(place: Workplace, queue: str) -> ActivityOptions:
    """One image: retried only where nothing was bought, and never abandoned once it was sent.

    Start-to-close is a day because the bytes wait in the worker while the store is away; what bounds
    the call itself is the worker's own deadline. Waiting for a cancellation to complete brings the
    result of a call that was under way.
    """
    return {
        "task_queue": queue,
        "start_to_close_timeout": timedelta(seconds=place.times.start_to_close),
        "heartbeat_timeout": timedelta(seconds=place.times.heartbeat_timeout),
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=1),
            backoff_coefficient=2,
            maximum_interval=timedelta(seconds=60),
            non_retryable_error_types=UNKNOWN_OUTCOMES,
        ),
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        "priority": priority(place),
    }


def priority(place: Workplace) -> Priority:
    """Jobs by their priority, and tenants by their weight among those of the same."""
    return Priority(priority_key=place.priority, fairness_key=place.tenant, fairness_weight=place.weight)


def history_is_long() -> bool:
    """Is it time to continue as new?"""
    info = workflow.info()
    return info.is_continue_as_new_suggested() or info.get_current_history_length() > CONTINUE_AS_NEW_EVENTS


def look_waits(times: Times) -> list[float]:
    """Seconds between looks in the store after a call was lost: until its deadline has surely passed.

    The engine noticed the loss a heartbeat timeout after it last heard of the worker, and a worker
    that has not been heard for half of that starts no call; so the deadline counts from the loss.
    """
    waits: list[float] = []
    step = min(2.0, times.call_deadline / 4)
    while sum(waits) < times.call_deadline:
        waits.append(min(step, times.call_deadline - sum(waits) + 0.1))
        step *= 2
    return waits
