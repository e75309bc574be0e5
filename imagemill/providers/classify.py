"""What an error of the SDK means for the money and the item: the one place that decides it.

The table of the provider's statuses and codes, row by row; whatever is in no row is unknown. Nothing of the
provider's own words comes along: they echo prompts.
"""

import re
from typing import Any

import openai

from imagemill.domain.errors import AccountTrouble, CallError, NotBilled, NotSent, OutcomeUnknown, Refused
from imagemill.providers.limits import never_fits, read_told, retry_after

_BLOCKED = {"moderation_blocked", "content_policy_violation", "content_filter", "contentFilter"}
_ACCOUNT = {
    **dict.fromkeys(("insufficient_quota", "billing_hard_limit_reached", "invalid_api_key")),
    "model_not_found": None,
    "DeploymentNotFound": "model_not_found",
}
"""Codes that hold the work, whatever the status below 500; with our word for them, where it is another."""
_ACCOUNT_STATUS = {
    **dict.fromkeys((301, 302, 303, 307, 308), "redirected"),
    401: "invalid_api_key",
    402: "insufficient_quota",
    403: "permission_denied",
    404: "not_found",
}
"""A redirect is not followed, and nothing was bought: its address has to be set."""
_INVALID = (400, 413, 415, 422)
_USERS_FAULT = "image_generation_user_error"
"""The type of blocks; one without a code does not say at which stage."""
_UNVERIFIED = re.compile(r"organi[sz]ation must be verified", re.IGNORECASE)
_NO_MODEL = re.compile(r"\bmodel\b.*\b(not exist|not found|no longer|unknown)\b", re.IGNORECASE)
_WORDS = 4096


def classify(
    error: openai.OpenAIError, *, free_5xx: bool = False, never_sent: tuple[type[Exception], ...] = ()
) -> CallError:
    """The SDK's error as ours, with what the answer told of the limits.

    Args:
        error: what the SDK raised.
        free_5xx: the provider is known not to bill what it answers with 5xx.
        never_sent: the transport's errors that prove that the request did not leave; none by default, since
            they mean something else from one transport to the next.
    """
    if isinstance(error, openai.APIStatusError):
        words = _words(error)
        ours = _by_status(error, words, free_5xx=free_5xx)
        ours.told = read_told(error.response.headers, words, error.status_code)
        return ours
    if isinstance(error, openai.APIConnectionError):
        # Only the very error that the transport raised counts: what lies under or before it may be alike.
        sent = not isinstance(error.__cause__, never_sent)
        return OutcomeUnknown("connection_lost") if sent else NotSent("connect_failed")
    return OutcomeUnknown("unreadable_answer")


def _by_status(error: openai.APIStatusError, words: str, *, free_5xx: bool) -> CallError:
    status, code, request_id = error.status_code, _text(error, "code"), error.request_id
    if code in _BLOCKED or (status in _INVALID and not code and _text(error, "type") == _USERS_FAULT):
        return Refused("blocked", request_id, blocked=True, maybe_billed=_stage(error) != "input")
    if status >= 500:
        return _server_error(error, free=free_5xx)
    if account := _account_code(status, code, _text(error, "type"), words):
        return AccountTrouble(account, request_id)
    if status == 429:
        return _too_many(error, words)
    if status in _INVALID:
        return Refused("invalid_request", request_id)
    return OutcomeUnknown(f"http_{status}", request_id)


def _account_code(status: int, code: str | None, kind: str | None, words: str) -> str | None:
    """Our word for what is wrong with the account; None where that is not it."""
    for said in (code, kind):
        if said in _ACCOUNT:
            return _ACCOUNT[said] or said
    if status == 403 and _UNVERIFIED.search(words):
        return "unverified_organization"
    if status == 404 and _NO_MODEL.search(words):
        return "model_not_found"
    return _ACCOUNT_STATUS.get(status)


def _server_error(error: openai.APIStatusError, *, free: bool) -> CallError:
    code = f"http_{error.status_code}"
    if not free:
        return OutcomeUnknown(code, error.request_id)
    return NotBilled(code, error.request_id, retry_after(error.response.headers, ""))


def _too_many(error: openai.APIStatusError, words: str) -> CallError:
    if never_fits(words):
        return Refused("request_above_limit", error.request_id)
    return NotBilled("rate_limited", error.request_id, retry_after(error.response.headers, words))


def _words(error: openai.APIStatusError) -> str:
    """The provider's message; of a body that is not JSON, its beginning."""
    if isinstance(error.body, str):
        return error.body[:_WORDS]
    return (_text(error, "message") or "")[:_WORDS]


def _body(error: openai.APIStatusError) -> dict[str, Any]:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        return inner if isinstance(inner, dict) else {"message": inner}
    return {}


def _text(error: openai.APIStatusError, name: str) -> str | None:
    value = _body(error).get(name)
    return value if isinstance(value, str) else None


def _stage(error: openai.APIStatusError) -> str | None:
    details = _body(error).get("moderation_details")
    return details.get("moderation_stage") if isinstance(details, dict) else None
