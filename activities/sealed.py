"""Failures as the engine may see them: a type, a code and an id, never the words of whoever raised them.

The SDK writes messages and causes of exceptions into workflow histories, provider messages echo
prompts, and storage errors carry addresses that grant access. So every failure is raised anew here.
"""

from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from imagemill.domain.errors import CallError, NotBilled, NotSent, StoreError
from imagemill.domain.messages import GENERATE

log = structlog.get_logger()


class SealFailures(Interceptor):
    """Put on every worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Wrap every activity."""
        return _Sealed(next)


class _Sealed(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        try:
            return await super().execute_activity(input)
        except (ApplicationError, CancelledError):
            raise
        except Exception as error:  # noqa: BLE001
            raise seal(error, paid=activity.info().activity_type == GENERATE) from None


def seal(error: Exception, *, paid: bool) -> ApplicationError:
    """The failure without its words. Of a paid call only what is known not to be bought may be retried."""
    if isinstance(error, NotSent | NotBilled):
        wait = getattr(error, "retry_after", None)
        return _failure(error.__class__.__name__, error.code, error.request_id, retry_after=wait)
    if isinstance(error, CallError):
        return _failure("OutcomeUnknown", error.code, error.request_id, final=True)
    where = _place(error)
    log.error("activity failed", error=type(error).__name__, where=where)
    if paid:
        return _failure("OutcomeUnknown", f"bug_{type(error).__name__}", where, final=True)
    kind = type(error).__name__
    return _failure(kind, str(error) if isinstance(error, StoreError) else kind, where)


def _failure(
    kind: str, code: str, request_id: str | None, *, final: bool = False, retry_after: float | None = None
) -> ApplicationError:
    return ApplicationError(
        code,
        code,
        request_id,
        type=kind,
        non_retryable=final,
        next_retry_delay=timedelta(seconds=max(1.0, retry_after)) if retry_after is not None else None,
        category=ApplicationErrorCategory.BENIGN,
    )


def _place(error: BaseException) -> str:
    """File and line where it was raised: enough to find it, and nothing that it says."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "?"
