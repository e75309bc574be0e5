"""/v1/webhooks: what became of events, sending one again, the secrets that they are signed with."""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AfterValidator, BaseModel, Field

from api.context import Context, admin_tenant, context, tenant
from api.models import Body
from api.problems import NOT_FOUND, TOO_MANY_SECRETS, Problem, problems
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.webhook_messages import DeliveryState, WebhookStart
from imagemill.domain.webhooks import EventType
from imagemill.webhook_log import Delivery, LoggedAttempt, WebhookLog
from imagemill.webhook_secrets import SecretRing, TooManySecrets, ring_of, rotate, secret_problem
from imagemill.webhook_targets import Disabled, disabled_targets

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
Parts = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]
AdminTenant = Annotated[str, Depends(admin_tenant)]
EventId = Annotated[str, Path(pattern=r"^evt_[0-9a-f]{32}$", max_length=40)]

LONGEST_OVERLAP = 24 * 30


def _a_secret(text: str) -> str:
    problem = secret_problem(text)
    if problem:
        raise ValueError(problem)
    return text


class RotateBody(Body):
    """A new secret, of the caller's own or made here, and how long those before it go on signing."""

    secret: Annotated[str, Field(max_length=200), AfterValidator(_a_secret)] | None = Field(
        default=None, description="whsec_ and 24 to 64 bytes in base64; left out: one is made."
    )
    keep_old_hours: Annotated[float, Field(ge=0, le=LONGEST_OVERLAP, strict=True)] = 24


class SecretAnswer(BaseModel):
    """The secret that signs, and when those before it cease to."""

    object: Literal["webhook_secret"] = "webhook_secret"
    secret: str
    created_at: datetime
    old_expire_at: list[datetime] = Field(description="Until when each older secret signs too.")


class DeliveryAnswer(BaseModel):
    """An event, and what became of its delivery."""

    id: str = Field(description="The event's id, as it is in the header webhook-id.")
    object: Literal["webhook_delivery"] = "webhook_delivery"
    job: str
    type: EventType
    state: DeliveryState
    host: str = Field(description="The receiver's host, as it was when the event was made.")
    created_at: datetime
    next_attempt_at: datetime | None
    attempts: list[LoggedAttempt] = Field(description="The last fifty, the oldest first.")


class DeliveryDetail(DeliveryAnswer):
    """With what is sent."""

    event: dict[str, Any]


class DeliveryPage(BaseModel):
    """Deliveries, the newest first; ``after`` of the next page is this one's ``last``."""

    object: Literal["list"] = "list"
    data: list[DeliveryAnswer]
    has_more: bool
    last: str | None


class DisabledPage(BaseModel):
    """Receivers that answered 410; ``after`` of the next page is this one's ``last``."""

    object: Literal["list"] = "list"
    data: list[Disabled]
    has_more: bool
    last: str | None


@router.get("/deliveries", summary="Events, and what became of them")
async def list_deliveries(
    *,
    parts: Parts,
    owner: Tenant,
    job: Annotated[
        str | None, Query(pattern=r"^job_[0-9A-Z]{26}$", description="Only events of this job.")
    ] = None,
    state: Annotated[DeliveryState | None, Query(description="Only deliveries that stand there.")] = None,
    after: Annotated[
        str | None, Query(pattern=r"^[\w-]{1,64}$", description="The ``last`` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> DeliveryPage:
    """The newest first. With ``state``, a page may hold fewer than ``limit`` and yet have a next one."""
    page = await WebhookLog(parts.control, owner).page(job=job, state=state, after=after, limit=limit)
    return DeliveryPage(
        data=[_answer(delivery) for delivery in page.data], has_more=page.has_more, last=page.last
    )


@router.get("/deliveries/{event}", summary="One event, with its body and its attempts")
async def get_delivery(event: EventId, parts: Parts, owner: Tenant) -> DeliveryDetail:
    """What is sent, and what came of each attempt."""
    delivery = await _delivery(parts, owner, event)
    body = json.loads(await WebhookLog(parts.control, owner).body(event))
    return DeliveryDetail(**_answer(delivery).model_dump(), event=body)


@router.post("/deliveries/{event}/redeliver", status_code=202, summary="Send an event again")
async def redeliver(event: EventId, parts: Parts, owner: Tenant) -> DeliveryAnswer:
    """Send it now, with the same id, and by the whole schedule if it fails; also to a disabled receiver.

    While a delivery is under way, its next attempt is made at once and no second one is started.
    """
    delivery = await _delivery(parts, owner, event)
    start = WebhookStart(
        tenant=owner, event=event, waits=parts.webhooks.waits, insists=True, times=parts.times
    )
    await parts.engine.start_delivery(start, again=True)
    delivery.state = "pending"
    return _answer(delivery)


@router.get("/targets/disabled", summary="Receivers that are sent nothing, since they answered 410")
async def list_disabled(
    parts: Parts,
    owner: Tenant,
    after: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> DisabledPage:
    """By the hashes of their addresses. A redelivery that is taken enables one again."""
    data: list[Disabled] = []
    async for target in disabled_targets(parts.control, owner, after or ""):
        if len(data) == limit:
            return DisabledPage(data=data, has_more=True, last=data[-1].target)
        data.append(target)
    return DisabledPage(data=data, has_more=False, last=data[-1].target if data else None)


@router.get("/secret", summary="The secret that events are signed with")
async def get_secret(parts: Parts, owner: AdminTenant) -> SecretAnswer:
    """It is made when it is first asked for, or when the first event is sent."""
    return _secret(await ring_of(parts.control, owner, parts.now()), parts.now())


@router.post("/secret/rotate", summary="Change the secret", responses=problems(TOO_MANY_SECRETS))
async def rotate_secret(body: RotateBody, parts: Parts, owner: AdminTenant) -> SecretAnswer:
    """Until the old one runs out, events carry a signature by each."""
    keep = timedelta(hours=body.keep_old_hours)
    try:
        ring = await rotate(parts.control, owner, body.secret, keep, parts.now())
    except TooManySecrets:
        raise Problem(
            TOO_MANY_SECRETS,
            "five secrets sign already; wait until one of them runs out, or rotate with keep_old_hours 0",
        ) from None
    return _secret(ring, parts.now())


async def _delivery(parts: Context, owner: str, event: str) -> Delivery:
    try:
        return await WebhookLog(parts.control, owner).delivery(event)
    except ObjectMissing:
        raise Problem(NOT_FOUND, f"there is no event {event}") from None


def _answer(delivery: Delivery) -> DeliveryAnswer:
    return DeliveryAnswer(id=delivery.event, **delivery.model_dump(exclude={"event"}))


def _secret(ring: SecretRing, now: datetime) -> SecretAnswer:
    older = ring.signing(now)[1:]
    return SecretAnswer(
        secret=ring.current.secret,
        created_at=ring.current.made_at,
        old_expire_at=[each.expires_at for each in older if each.expires_at],
    )
