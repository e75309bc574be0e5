"""What a failed activity means for the money: the one place that reads the engine's failures."""

from typing import Literal

from temporalio.exceptions import ActivityError, ApplicationError, CancelledError

Loss = Literal["not_started", "told", "lost"]


def loss(error: ActivityError) -> Loss:
    """What is known of a paid call whose activity failed.

    - ``not_started``: it was cancelled before anything was sent, or between two tries that were not billed;
    - ``told``: the worker lives and says that the outcome is unknown;
    - ``lost``: the worker was not heard of again, or the failure is one that nobody foresaw: the
      call may still be under way.
    """
    cause = error.cause
    if isinstance(cause, CancelledError):
        return "not_started"
    if isinstance(cause, ApplicationError) and cause.type in ("NotSent", "NotBilled"):
        return "not_started"
    if isinstance(cause, ApplicationError) and cause.type == "OutcomeUnknown":
        return "told"
    return "lost"


def code(error: ActivityError) -> str:
    """The code of the failure, for the item's attempts."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.details:
        return str(cause.details[0])
    return "worker_lost"


def request_id(error: ActivityError) -> str | None:
    """The provider's id of the request, where the worker told one."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and len(cause.details) > 1 and cause.details[1]:
        return str(cause.details[1])
    return None
