"""What becomes of a call that was accepted and billed."""

import asyncio
import json
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from starlette.responses import Response

from sandbox.image_api import answer, delivery, events, refusals
from sandbox.image_api.answer import Link, Manner
from sandbox.image_api.faults import Fault
from sandbox.image_api.kinds import Kind
from sandbox.image_api.latency import Latency
from sandbox.image_api.order import Order
from sandbox.image_api.pictures import Pictures

Drawn = TypeVar("Drawn")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was accepted and billed. `oddities` is all that is going to go wrong."""

    request_id: str
    order: Order
    fault: Fault | None
    oddities: frozenset[Kind]
    headers: dict[str, str]

    @property
    def extra_seconds(self) -> float:
        """How much longer than usual the answer takes."""
        return self.fault.duration if self.fault and self.fault.kind in {Kind.HANG, Kind.DELAY} else 0.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Draws what was ordered, and gives it the form of an answer."""

    latency: Latency
    drawers: Executor
    link: Link
    pictures: Pictures

    def seconds(self, call: Call) -> float:
        """How long it takes until the answer begins. Events take their time one by one."""
        if call.order.streamed or Kind.TASK_INSTEAD in call.oddities:
            return call.extra_seconds
        return self.latency.seconds(call.order) + call.extra_seconds

    async def respond(self, call: Call) -> tuple[Response, str]:
        """The answer to a billed call, and its name in the ledger."""
        if refused := refusals.after_billing(call.fault, call.oddities):
            return refused
        if Kind.TASK_INSTEAD in call.oddities:
            task = {"task_id": f"task_{secrets.token_hex(12)}", "status": "queued"}
            return Response(json.dumps(task), headers=call.headers, media_type=delivery.JSON), "answered"
        if call.order.streamed:
            return await self._stream(call)
        body = await self._draw(call, answer.build)
        return _cut(call, body, delivery.JSON) or (
            Response(body, headers=call.headers, media_type=delivery.JSON),
            "answered",
        )

    async def _stream(self, call: Call) -> tuple[Response, str]:
        drawn = await self._draw(call, events.build)
        outcome = "error_500" if Kind.STREAM_ERROR in call.oddities else "answered"
        return _cut(call, b"".join(drawn), delivery.EVENTS) or (
            delivery.EventsResponse(drawn, call.headers, self.latency.seconds(call.order)),
            outcome,
        )

    async def _draw(self, call: Call, build: Callable[[Order, Manner], Drawn]) -> Drawn:
        manner = Manner(call.oddities, self.link, self.pictures.take(call.order.prompt))
        return await asyncio.get_running_loop().run_in_executor(self.drawers, build, call.order, manner)


def _cut(call: Call, body: bytes, media_type: str) -> tuple[Response, str] | None:
    """An answer that does not arrive in one piece."""
    if call.fault and call.fault.kind is Kind.TRUNCATE:
        return delivery.TruncatedResponse(body, call.headers, media_type), "truncated"
    if call.fault and call.fault.kind is Kind.DRIP:
        return delivery.DrippingResponse(body, call.headers, call.fault.duration, media_type), "answered"
    return None
