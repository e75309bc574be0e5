"""GET /v1/jobs/{id}/events: the changes of a job as server-sent events.

An event's id is the entity tag of the state that it carries. So what is missed needs no log: who comes
back with the last id that it saw gets the state as it is, if that is another, and then what changes.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from api.context import Context, context, tenant
from api.departure import unless_gone
from api.polling import next_change, now
from api.problems import JOB_LOST, TOO_MANY_STREAMS, Problem, problems
from api.snapshots import Snapshot
from api.status import body_of

KEEP_ALIVE = 15.0
"""Seconds without a change after which a comment says that the connection still stands."""

RETRY = 3000
"""Milliseconds after which a browser comes back that has lost its connection."""

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
Kind = Literal["snapshot", "change", "end"]


@router.get(
    "/{job}/events",
    summary="The changes of a job, as they happen",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        204: {"description": "The job has ended, and the caller has seen its end: do not come back."},
        **problems(TOO_MANY_STREAMS, JOB_LOST),
    },
)
async def get_events(
    job: str,
    request: Request,
    parts: Annotated[Context, Depends(context)],
    owner: Annotated[str, Depends(tenant)],
    last_event_id: Annotated[str | None, Header(description="The last ``id`` that was seen.")] = None,
) -> Response:
    """First ``snapshot``, then ``change`` by ``change``, then ``end``; each carries the whole status.

    With ``Last-Event-ID`` the snapshot comes only if the state is another one.
    """
    first = await now(parts, owner, job)
    if first.ended and last_event_id == event_id(first):
        return Response(status_code=204)
    return EventStream(parts, owner, first, last_event_id, lambda: _still_may(parts, request))


def _still_may(parts: Context, request: Request) -> bool:
    """Is the key still one that may look? It may have been revoked or have run out meanwhile."""
    try:
        return "read" in parts.keys.authenticate(request.headers).scopes
    except Problem:
        return False


def event_id(snapshot: Snapshot) -> str:
    """The name of a state: its entity tag without the marks of a header."""
    return snapshot.tag.removeprefix("W/").strip('"')


class EventStream(Response):
    """An answer that goes on until the job has ended, the caller hangs up, or the process stops."""

    def __init__(
        self,
        parts: Context,
        owner: str,
        first: Snapshot,
        seen: str | None,
        still_may: Callable[[], bool] = lambda: True,
    ) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(media_type="text/event-stream", headers=headers)
        del self.headers["content-length"]
        self._parts = parts
        self._owner = owner
        self._first = first
        self._seen = seen
        self._still_may = still_may

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events."""
        with self._parts.watches.streams.take(self._owner) as seat:
            if not seat:
                raise Problem(TOO_MANY_STREAMS, "too many streams of events are open; poll, or close some")
            await unless_gone(receive, self._stream(send))

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, f"retry: {RETRY}\n\n".encode())
        async with aclosing(self._events()) as events:
            async for event in events:
                await _send(send, event)
        await send({"type": "http.response.body", "body": b""})

    async def _events(self) -> AsyncGenerator[bytes, None]:
        snapshot = self._first
        if event_id(snapshot) != self._seen:
            yield await self._event("snapshot", snapshot)
        while not snapshot.ended and self._still_may():
            try:
                async with asyncio.timeout(KEEP_ALIVE):
                    changed = await next_change(self._parts, self._owner, snapshot)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if changed is None or not self._still_may():
                return
            snapshot = changed
            yield await self._event("change", snapshot)

    async def _event(self, kind: Kind, snapshot: Snapshot) -> bytes:
        kind = "end" if snapshot.ended else kind
        body = await body_of(self._parts, self._owner, snapshot)
        return b"event: %s\nid: %s\ndata: %s\n\n" % (kind.encode(), event_id(snapshot).encode(), body)


async def _send(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
