"""What each error of the provider means: the tables of statuses and of outcomes, row by row."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from imagemill.domain.errors import (
    EXPLANATIONS,
    AccountTrouble,
    CallError,
    NotBilled,
    OutcomeUnknown,
    Refused,
)
from tests.unit.providers.wire import KEY, REQUEST, SECRET, listening, provider, says

INPUT = {"moderation_details": {"moderation_stage": "input", "categories": ["violence"]}}
OUTPUT = {"moderation_details": {"moderation_stage": "output", "categories": ["violence"]}}
USER = "image_generation_user_error"
ABOVE = "Request too large for m in organization o on input-images per min: Limit 5, Requested 10."
REACHED = (
    "Rate limit reached for m on input-images per min: Limit 5, Used 5, Requested 1. Please try again in 12s"
)
VERIFY = "Your organization must be verified to use the model `gpt-image-2`. Please go to: https://example"
GONE = "The model 'm' was shut down on 2026-10-23 and is no longer available."


@dataclass(frozen=True)
class Row:
    """What the provider answers, and what that is to us."""

    status: int
    code: str | None
    kind: type[CallError]
    ours: str
    message: str = ""
    type: str = "some_error"
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    text: str | None = None
    """A body that is not JSON."""
    blocked: bool = False
    billed: bool = False
    wait: float | None = None
    free_5xx: bool = False

    def __str__(self) -> str:
        words = [str(self.status), self.code or "", *self.more, "free" if self.free_5xx else "", self.ours]
        return "-".join(filter(None, words))

    @property
    def answer(self) -> httpx2.Response:
        headers = {"x-request-id": "req_7", "content-type": "application/json"} | self.headers
        if self.text is not None:
            return httpx2.Response(
                self.status, text=self.text, headers=headers | {"content-type": "text/html"}
            )
        error = {"code": self.code, "message": f"{self.message} {SECRET}", "type": self.type, "param": None}
        body = json.dumps({"error": error | self.more})
        return httpx2.Response(self.status, text=body, headers=headers)


PAGE = f"<html>{SECRET}</html>"
ROWS = [
    # 400: blocked, invalid, or the account
    Row(400, "moderation_blocked", Refused, "blocked", type=USER, more=INPUT, blocked=True),
    Row(400, "moderation_blocked", Refused, "blocked", type=USER, more=OUTPUT, blocked=True, billed=True),
    Row(400, "moderation_blocked", Refused, "blocked", type=USER, blocked=True, billed=True),
    Row(
        400,
        "moderation_blocked",
        Refused,
        "blocked",
        more={"moderation_details": None},
        blocked=True,
        billed=True,
    ),
    Row(400, "content_policy_violation", Refused, "blocked", more=INPUT, blocked=True),
    Row(400, "content_policy_violation", Refused, "blocked", blocked=True, billed=True),
    Row(400, "content_filter", Refused, "blocked", blocked=True, billed=True),
    Row(500, "moderation_blocked", Refused, "blocked", more=INPUT, blocked=True),
    Row(400, "invalid_value", Refused, "invalid_request", "Invalid size '1x1'", type=USER),
    Row(400, None, Refused, "invalid_request"),
    Row(400, None, Refused, "invalid_request", text=PAGE),
    Row(413, None, Refused, "invalid_request", text=PAGE),
    Row(422, None, Refused, "invalid_request"),
    Row(400, "billing_hard_limit_reached", AccountTrouble, "billing_hard_limit_reached"),
    Row(400, "insufficient_quota", AccountTrouble, "insufficient_quota"),
    # 401 to 404: the account
    Row(401, "invalid_api_key", AccountTrouble, "invalid_api_key", f"Incorrect API key provided: {KEY}"),
    Row(401, None, AccountTrouble, "invalid_api_key", text=PAGE),
    Row(402, None, AccountTrouble, "insufficient_quota"),
    Row(403, None, AccountTrouble, "unverified_organization", VERIFY),
    Row(403, None, AccountTrouble, "permission_denied", "Country not supported"),
    Row(403, "billing_hard_limit_reached", AccountTrouble, "billing_hard_limit_reached"),
    Row(403, None, AccountTrouble, "permission_denied", text=PAGE),
    Row(404, "model_not_found", AccountTrouble, "model_not_found", GONE),
    Row(404, None, AccountTrouble, "model_not_found", GONE),
    Row(404, "DeploymentNotFound", AccountTrouble, "model_not_found"),
    Row(404, None, AccountTrouble, "not_found", "Invalid URL (POST /images/generations)"),
    Row(404, None, AccountTrouble, "not_found", text=PAGE),
    *(
        Row(status, None, AccountTrouble, "redirected", text=PAGE, headers={"location": "http://elsewhere/"})
        for status in (301, 302, 303, 307, 308)
    ),
    # 408, 409, and what is in no row
    Row(408, None, OutcomeUnknown, "http_408"),
    Row(409, None, OutcomeUnknown, "http_409"),
    Row(418, None, OutcomeUnknown, "http_418"),
    Row(408, None, OutcomeUnknown, "http_408", free_5xx=True),
    Row(409, None, OutcomeUnknown, "http_409", free_5xx=True),
    # 429: the account, a limit, or never
    Row(429, "insufficient_quota", AccountTrouble, "insufficient_quota", type="insufficient_quota"),
    Row(429, None, AccountTrouble, "insufficient_quota", type="insufficient_quota"),
    Row(429, "billing_hard_limit_reached", AccountTrouble, "billing_hard_limit_reached"),
    Row(429, "rate_limit_exceeded", NotBilled, "rate_limited", REACHED, wait=12),
    Row(
        429,
        "rate_limit_exceeded",
        NotBilled,
        "rate_limited",
        REACHED,
        headers={"retry-after-ms": "1500", "retry-after": "9"},
        wait=1.5,
    ),
    Row(429, "rate_limit_exceeded", NotBilled, "rate_limited", REACHED, headers={"retry-after": "9"}, wait=9),
    Row(429, "rate_limit_exceeded", NotBilled, "rate_limited"),
    Row(429, None, NotBilled, "rate_limited", text=PAGE, headers={"retry-after": "3"}, wait=3),
    Row(429, None, NotBilled, "rate_limited", text="slow down, retry after 6 seconds", wait=6),
    Row(429, "rate_limit_exceeded", Refused, "request_above_limit", ABOVE),
    Row(429, None, Refused, "request_above_limit", "Limit: 100,000 / min. Requested: 250,000"),
    # 5xx
    *(Row(status, None, OutcomeUnknown, f"http_{status}") for status in (500, 502, 503, 524)),
    *(Row(status, None, OutcomeUnknown, f"http_{status}", text=PAGE) for status in (500, 502, 503, 524)),
    *(Row(status, None, NotBilled, f"http_{status}", free_5xx=True) for status in (500, 503, 524)),
    Row(503, None, NotBilled, "http_503", free_5xx=True, headers={"retry-after": "7"}, wait=7),
    Row(500, "insufficient_quota", OutcomeUnknown, "http_500"),
]


async def over_a_told_transport(row: Row, _: httpx2.AsyncClient) -> CallError:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return row.answer

    with pytest.raises(CallError) as caught:
        await provider(handler, free_5xx=row.free_5xx).generate(REQUEST, deadline=5)
    assert len(seen) == 1
    return caught.value


async def over_sockets(row: Row, http: httpx2.AsyncClient) -> CallError:
    async with listening(http, says(row.answer), free_5xx=row.free_5xx) as real:
        with pytest.raises(CallError) as caught:
            await real.generate(REQUEST, deadline=5)
    return caught.value


@pytest.mark.sockets
@pytest.mark.parametrize("failure", [over_a_told_transport, over_sockets])
@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_the_table(row: Row, failure: Any, production: httpx2.AsyncClient) -> None:
    raised = await failure(row, production)

    assert (type(raised), raised.code, raised.request_id) == (row.kind, row.ours, "req_7")
    assert getattr(raised, "blocked", False) == row.blocked
    assert getattr(raised, "maybe_billed", False) == row.billed
    assert getattr(raised, "retry_after", None) == row.wait
    assert SECRET not in repr(raised)
    assert KEY not in repr(raised)
    assert raised.__cause__ is None
    assert raised.__suppress_context__


def test_every_code_that_holds_or_refuses_is_explained() -> None:
    said = {row.ours for row in ROWS if row.kind in (AccountTrouble, Refused)}

    assert said <= set(EXPLANATIONS)


@pytest.mark.parametrize("failing", [row for row in ROWS if row.status in (400, 404, 429, 503)], ids=str)
async def test_every_answer_tells_of_the_limits(failing: Row) -> None:
    limits = {"x-ratelimit-limit-input-images": "50", "x-ratelimit-remaining-input-images": "49"}
    answer = failing.answer
    answer.headers.update(limits)

    with pytest.raises(CallError) as caught:
        await provider(lambda _: answer, free_5xx=failing.free_5xx).generate(REQUEST, deadline=5)
    told = caught.value.told
    assert told
    assert (told.images_limit, told.images_left) == (50, 49)
    assert told.wait == (failing.wait if failing.status == 429 else None)
