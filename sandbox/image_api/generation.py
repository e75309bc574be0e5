"""``POST /v1/images/generations``: one call, from the request to what becomes of its answer."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.image_api import answer, connection, delivery, errors, order
from sandbox.image_api.catalog import Catalog
from sandbox.image_api.errors import ApiError
from sandbox.image_api.faults import Fault, FaultPlan, Kind
from sandbox.image_api.keys import Keys
from sandbox.image_api.latency import Latency
from sandbox.image_api.ledger import Ledger
from sandbox.image_api.limits import ImageLimit
from sandbox.image_api.links import Links
from sandbox.image_api.order import Order

BLOCKED_INPUT = "forbidden-input"
BLOCKED_OUTPUT = "forbidden-output"
GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"

REFUSALS: dict[Kind, Callable[[], ApiError]] = {
    Kind.ERROR_500_UNBILLED: errors.server_error,
    Kind.INSUFFICIENT_QUOTA: errors.insufficient_quota,
    Kind.BILLING_HARD_LIMIT: errors.billing_hard_limit,
    Kind.INVALID_API_KEY: errors.invalid_api_key,
    Kind.UNVERIFIED_ORG: errors.unverified_organization,
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was accepted and billed."""

    request_id: str
    order: Order
    fault: Fault | None
    headers: dict[str, str]

    @property
    def kind(self) -> Kind | None:
        """What is going to go wrong."""
        return self.fault.kind if self.fault else None

    @property
    def extra_seconds(self) -> float:
        """How much longer than usual the answer takes."""
        return self.fault.duration if self.fault and self.kind in {Kind.HANG, Kind.DELAY} else 0.0


class Generation:
    """The endpoint, as an ASGI application."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        keys: Keys,
        ledger: Ledger,
        plan: FaultPlan,
        limit: ImageLimit,
        latency: Latency,
        links: Links,
        drawers: Executor,
    ) -> None:
        self._catalog = catalog
        self._keys = keys
        self._ledger = ledger
        self._plan = plan
        self._limit = limit
        self._latency = latency
        self._links = links
        self._drawers = drawers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever happens after it was accepted, it stays on the bill."""
        request = Request(scope, receive)
        self._ledger.enter()
        try:
            accepted = await self._accept(request)
            if isinstance(accepted, Response):
                await accepted(scope, receive, send)
            else:
                await self._serve(accepted, request, send)
        except ApiError as error:
            await delivery.refusal(error)(scope, receive, send)
        except ClientDisconnect:
            # The client left while sending the request: there is nothing to bill and nobody to answer.
            pass
        finally:
            self._ledger.leave()

    async def _accept(self, request: Request) -> Call | Response:
        """Check a request and bill it, or give the answer of a fault that strikes before."""
        self._keys.check(request)
        asked = order.read(_parse(await request.body()), self._catalog)
        fault = self._plan.strike(asked)
        if fault and (refused := _refuse(fault, asked)):
            return refused
        headers = self._limit.take(asked)
        if BLOCKED_INPUT in asked.prompt:
            raise errors.moderation_blocked("input")
        drawn = asked.fewer(asked.n - 1) if fault and fault.kind is Kind.FEWER_IMAGES else asked
        call = Call(request.state.request_id, drawn, fault, headers)
        self._ledger.bill(call.request_id, drawn, asked=asked.n, fault=call.kind)
        return call

    async def _serve(self, call: Call, request: Request, send: Send) -> None:
        """Take the time that drawing takes, answer, and note how it ended."""
        seconds = self._latency.seconds(call.order) + call.extra_seconds
        outcome = "disconnected"
        try:
            if await connection.stays(request.receive, seconds):
                response, outcome = await self._respond(call)
                await response(request.scope, request.receive, send)
                if outcome == "answered" and connection.is_lost(request.scope):
                    outcome = "disconnected"
        finally:
            self._ledger.close_call(call.request_id, outcome)

    async def _respond(self, call: Call) -> tuple[Response, str]:
        """The answer to a billed call, and its name in the ledger."""
        if BLOCKED_OUTPUT in call.order.prompt:
            return delivery.refusal(errors.moderation_blocked("output")), "moderation_blocked"
        if call.kind is Kind.ERROR_500_BILLED:
            return delivery.refusal(errors.server_error()), "error_500"
        if call.kind is Kind.RESET_AFTER_BILLING:
            return delivery.ResetResponse(), "reset"
        body = await self._draw(call)
        if call.kind is Kind.TRUNCATE:
            return delivery.TruncatedResponse(body, call.headers), "truncated"
        if call.fault and call.kind is Kind.DRIP:
            return delivery.DrippingResponse(body, call.headers, call.fault.duration), "answered"
        return Response(body, headers=call.headers, media_type="application/json"), "answered"

    async def _draw(self, call: Call) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._drawers, answer.build, call.order, call.kind, self._links.publish
        )


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise errors.malformed_json() from None


def _refuse(fault: Fault, asked: Order) -> Response | None:
    """What a fault that strikes before the bill answers; None if the fault comes later."""
    if fault.kind is Kind.RESET_BEFORE_BILLING:
        return delivery.ResetResponse()
    if fault.kind is Kind.NON_JSON_500:
        return HTMLResponse(GATEWAY_PAGE, 500)
    if fault.kind is Kind.RATE_LIMIT:
        seconds = fault.duration
        raise errors.rate_limited(asked.model.id, limit=5, used=5, requested=asked.n, seconds=seconds)
    if fault.kind in REFUSALS:
        raise REFUSALS[fault.kind]()
    return None
