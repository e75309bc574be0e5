"""The pages of webhooks: what became of events, sending one again, and the secret that signs them."""

import json
from typing import Annotated, get_args

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import webhooks as api
from dashboard.pages import page, then
from dashboard.viewer import Changing, Looking, Parts
from imagemill.domain.webhook_messages import DeliveryState
from imagemill.webhook_log import LoggedAttempt

router = APIRouter()

EventId = Annotated[str, Path(pattern=r"^evt_[0-9a-f]{32}$")]
PROBLEMS = {
    "address_refused": "the address may not be called",
    "unreachable": "the receiver could not be reached",
    "too_slow": "the receiver took too long",
}
STATES = ("", *get_args(DeliveryState))
A_PAGE = 50
KEEP_HOURS = {"0": "at once", "1": "in an hour", "24": "in a day", "168": "in a week"}
"""When the old secret ceases to sign."""


@router.get("/webhooks")
async def webhooks_page(
    *,
    request: Request,
    viewer: Looking,
    parts: Parts,
    state: Annotated[str, Query(max_length=20)] = "",
    job: Annotated[str, Query(max_length=40)] = "",
    after: Annotated[str | None, Query(pattern=r"^[\w-]{1,64}$")] = None,
) -> Response:
    """Deliveries, the newest first, and receivers that are sent nothing any more."""
    known: DeliveryState | None = next((each for each in get_args(DeliveryState) if each == state), None)
    found = await api.list_deliveries(
        parts=parts, owner=viewer.tenant, job=job.strip() or None, state=known, after=after, limit=A_PAGE
    )
    disabled = await api.list_disabled(parts, viewer.tenant, None, A_PAGE)
    return await page(
        request,
        "webhooks.html",
        deliveries=found.data,
        more=found.last if found.has_more else None,
        after=after,
        disabled=disabled.data,
        states=STATES,
        state=known or "",
        job=job.strip(),
        outcome=outcome,
    )


@router.get("/webhooks/secret")
async def secret_page(request: Request, viewer: Looking, parts: Parts) -> Response:
    """The secret that receivers check signatures with."""
    viewer.require("admin")
    secret = await api.get_secret(parts, viewer.tenant)
    return await page(request, "webhook_secret.html", secret=secret, hours=KEEP_HOURS)


@router.post("/webhooks/secret")
async def rotate(request: Request, change: Changing, parts: Parts) -> Response:
    """A new secret, made here."""
    change.viewer.require("admin")
    hours = change.text("keep_old_hours")
    body = api.RotateBody(keep_old_hours=float(hours) if hours in KEEP_HOURS else 24)
    await api.rotate_secret(body, parts, change.viewer.tenant)
    words = "A new secret signs from now on. Give it to your receivers."
    return await then(request, "/webhooks/secret", words)


@router.get("/webhooks/{event}")
async def webhook_page(request: Request, event: EventId, viewer: Looking, parts: Parts) -> Response:
    """One event: its body, and what came of each attempt."""
    found = await api.get_delivery(event, parts, viewer.tenant)
    body = json.dumps(found.event, indent=2, ensure_ascii=False)
    return await page(request, "webhook.html", delivery=found, body=body, outcome=outcome)


@router.post("/webhooks/{event}/redeliver")
async def redeliver(request: Request, event: EventId, change: Changing, parts: Parts) -> Response:
    """Send it again now."""
    await api.redeliver(event, parts, change.viewer.tenant)
    return await then(request, f"/webhooks/{event}", "The event is on its way again, with the same id.")


def outcome(attempt: LoggedAttempt) -> str:
    """What came of an attempt, in words."""
    if attempt.status is not None:
        return f"answered {attempt.status}"
    return PROBLEMS.get(attempt.problem or "", attempt.problem or "no answer")
