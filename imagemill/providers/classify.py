"""What an error of the SDK means for the money and the item: the one place that decides it.

The table of the provider's statuses and codes, row by row; whatever is in no row is unknown.
"""

import math
import re
from typing import Any

import httpx2
import openai

from imagemill.domain.errors import AccountTrouble, CallError, NotBilled, NotSent, OutcomeUnknown, Refused

LONGEST_WAIT = 3600.0
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_ACCOUNT = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "invalid_api_key",
    "model_not_found",
}
_ACCOUNT_STATUS = {
    **dict.fromkeys((301, 302, 303, 307, 308), "redirected"),
    401: "invalid_api_key",
    402: "insufficient_quota",
    403: "permission_denied",
    404: "model_not_found",
}
"""A redirect is not followed, and nothing was bought: its address has to be set."""
_INVALID = (400, 413, 415, 422)
_BLOCKED = {"moderation_blocked", "content_policy_violation"}
_TRY_AGAIN = re.compile(r"try again in (\d+(?:\.\d+)?)\s*(ms|s|m)\b")
_LIMIT = re.compile(r"Limit:?\s*([\d,.]+).*?Requested:?\s*([\d,.]+)", re.DOTALL)


def classify(error: openai.OpenAIError, *, free_5xx: bool = False) -> CallError:
    """The SDK's error as ours. The provider's own words stay behind: they echo prompts."""
    if isinstance(error, openai.APIStatusError):
        return _by_status(error, free_5xx=free_5xx)
    if isinstance(error, openai.APIConnectionError):
        return NotSent("connect_failed") if _never_sent(error) else OutcomeUnknown("connection_lost")
    return OutcomeUnknown("unreadable_answer")


def _never_sent(error: BaseException) -> bool:
    """The transport's own error says whether the request left; what lies under it does not.

    A reset after sending is an httpx2.ReadError over the same OSError as a failed connect.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx2.TransportError):
            return isinstance(cause, _NEVER_SENT)
        cause = cause.__cause__ or cause.__context__
    return False


def _by_status(error: openai.APIStatusError, *, free_5xx: bool) -> CallError:
    status, code, request_id = error.status_code, _code(error), error.request_id
    if code in _BLOCKED:
        return Refused("blocked", request_id, blocked=True, maybe_billed=_stage(error) != "input")
    if status == 429:
        return _too_many(error, code, request_id)
    if status in _INVALID:
        return _bad_request(code, request_id)
    if status in _ACCOUNT_STATUS:
        return AccountTrouble(_ACCOUNT_STATUS[status], request_id)
    if status >= 500 and free_5xx:
        return NotBilled(f"http_{status}", request_id)
    return OutcomeUnknown(f"http_{status}", request_id)


def _bad_request(code: str | None, request_id: str | None) -> CallError:
    if code in _ACCOUNT:
        return AccountTrouble(str(code), request_id)
    return Refused("invalid_request", request_id)


def _too_many(error: openai.APIStatusError, code: str | None, request_id: str | None) -> CallError:
    account = code if code in _ACCOUNT else _body(error).get("type")
    if account in _ACCOUNT:
        return AccountTrouble(str(account), request_id)
    limit = _LIMIT.search(error.message)
    if limit and _number(limit.group(2)) > _number(limit.group(1)):
        return Refused("request_above_limit", request_id)
    return NotBilled("rate_limited", request_id, retry_after(error.response.headers, error.message))


def retry_after(headers: httpx2.Headers, message: str) -> float | None:
    """Seconds to wait: ``retry-after-ms`` beats ``retry-after`` beats the message's own words."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return _sane(float(headers[name]) * scale)
        except (KeyError, ValueError):
            continue
    if told := _TRY_AGAIN.search(message):
        return _sane(float(told.group(1)) * {"ms": 0.001, "s": 1.0, "m": 60.0}[told.group(2)])
    return None


def _sane(seconds: float) -> float:
    """A wait between nothing and an hour: some send a date as a number, which would be for ever."""
    return min(max(0.0, seconds), LONGEST_WAIT) if math.isfinite(seconds) else LONGEST_WAIT


def _number(text: str) -> int:
    return int(re.sub(r"\D", "", text.partition(".")[0]) or 0)


def _body(error: openai.APIStatusError) -> dict[str, Any]:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        return inner if isinstance(inner, dict) else {}
    return {}


def _code(error: openai.APIStatusError) -> str | None:
    code = _body(error).get("code")
    return code if isinstance(code, str) else None


def _stage(error: openai.APIStatusError) -> str | None:
    details = _body(error).get("moderation_details")
    return details.get("moderation_stage") if isinstance(details, dict) else None
