"""``POST …/images/generations`` and ``…/edits``: one call, from the request to its last word."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.image_api import connection, delivery, errors, refusals
from sandbox.image_api.attachments import Attachments
from sandbox.image_api.ending import Call, Ending
from sandbox.image_api.errors import ApiError
from sandbox.image_api.faults import Fault, FaultPlan
from sandbox.image_api.keys import Keys
from sandbox.image_api.kinds import Kind
from sandbox.image_api.ledger import Ledger
from sandbox.image_api.limits import Minutes
from sandbox.image_api.order import Order
from sandbox.image_api.profiles import Profile

Read = Callable[[Request, Attachments], Awaitable[Order]]


@dataclass(frozen=True, slots=True)
class House:
    """What both endpoints share."""

    keys: Keys
    ledger: Ledger
    plan: FaultPlan
    minutes: Minutes
    profile: Profile
    ending: Ending


@dataclass(slots=True)
class Visit:
    """What is known of a call so far: what it asks for, and the fault that befell it."""

    order: Order | None = None
    fault: Fault | None = None


class Endpoint:
    """One endpoint, as an ASGI application. `read` makes an order of a request."""

    def __init__(self, house: House, read: Read) -> None:
        self._house = house
        self._read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever happens after it was accepted, it stays on the bill."""
        request = Request(scope, receive)
        attachments = Attachments()
        visit = Visit()
        self._house.ledger.enter()
        try:
            self._house.keys.check(request)
            visit.order = await self._read(request, attachments)
            accepted = self._accept(visit.order, visit, request.state.request_id)
            if isinstance(accepted, Response):
                await self._turn_away(accepted, visit, request, send)
            else:
                await self._serve(accepted, request, send)
        except ApiError as error:
            await self._turn_away(delivery.Refusal(error), visit, request, send)
        except ClientDisconnect:
            # The client left while sending the request: there is nothing to bill and nobody to answer.
            pass
        finally:
            attachments.close()
            self._house.ledger.leave()

    def _accept(self, order: Order, visit: Visit, request_id: str) -> Call | Response:
        """Bill an order, or give the answer of a fault that strikes before."""
        house = self._house
        fault = visit.fault = house.plan.strike(order)
        if fault and (refused := refusals.before_billing(fault, order)):
            return refused
        headers = house.minutes.take(order)
        oddities = _oddities(fault, order, house.profile)
        if Kind.MODERATION_INPUT in oddities:
            raise errors.moderation_blocked("input")
        drawn = order.fewer(order.n - 1) if Kind.FEWER_IMAGES in oddities else order
        call = Call(request_id, drawn, fault, oddities, headers)
        house.ledger.bill(call.request_id, drawn, asked=order.n, fault=fault.kind if fault else None)
        return call

    async def _turn_away(self, response: Response, visit: Visit, request: Request, send: Send) -> None:
        """Answer a call that is not billed, and note that it came."""
        is_reset = isinstance(response, delivery.ResetResponse)
        self._house.ledger.turn_away(
            request.state.request_id,
            visit.order,
            status=None if is_reset else response.status_code,
            code=response.code if isinstance(response, delivery.Refusal) else None,
            retry_after=_wait(response.headers),
            fault=visit.fault.kind if visit.fault else None,
        )
        await self._send(response, request, send)

    async def _serve(self, call: Call, request: Request, send: Send) -> None:
        """Take the time that drawing takes, answer, and note how it ended."""
        ending = self._house.ending
        outcome = "disconnected"
        try:
            if await connection.stays(request.receive, ending.seconds(call)):
                response, outcome = await ending.respond(call)
                await self._send(response, request, send)
                if outcome == "answered" and connection.is_lost(request.scope):
                    outcome = "disconnected"
        finally:
            self._house.ledger.close_call(call.request_id, outcome)

    async def _send(self, response: Response, request: Request, send: Send) -> None:
        if response.status_code >= 400:
            code = response.code if isinstance(response, delivery.Refusal) else None
            self._house.ledger.refuse(response.status_code, code)
        await response(request.scope, request.receive, send)


def _oddities(fault: Fault | None, order: Order, profile: Profile) -> frozenset[Kind]:
    struck = {fault.kind} if fault else set()
    return refusals.triggered(order.prompt) | profile.oddities | struck


def _wait(headers: Mapping[str, str]) -> float | None:
    """How many seconds an answer asks to wait; the milliseconds count before the seconds."""
    if "retry-after-ms" in headers:
        return int(headers["retry-after-ms"]) / 1000
    return float(headers["retry-after"]) if "retry-after" in headers else None
