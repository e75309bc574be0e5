"""GET /v1/jobs/{id}: the status of a job, for callers who ask for it over and over.

Most polls find nothing new. So the route is served before the framework's own machinery, compares what
the engine keeps without parsing it, and shares one read among all who asked before it began.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Request
from fastapi.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from api.context import Context, admit, parts_of, permit
from api.departure import unless_gone
from api.models import JobAnswer
from api.openapi_headers import headers
from api.patience import patience
from api.problems import JOB_LOST, problems
from api.snapshots import Snapshot
from api.status import body_of, snapshot_of

PATH = "/v1/jobs/{job}"
LONGEST_WAIT = 60
"""Seconds that a caller may wait for a change at most; who asks for more waits so long."""

_WAIT = re.compile(r"\bwait\s*=\s*\"?(\d{1,9})\"?\s*(?:[;,]|$)", re.IGNORECASE)
_EMPTY: Message = {"type": "http.response.body"}
_LOOKED_AT = {name.encode(): name for name in ("authorization", "if-none-match", "prefer")}
_TAG = re.compile(r'(?:W/)?"([^"]*)"')

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get(
    "/{job}",
    summary="The status of a job",
    response_model=JobAnswer,
    responses={
        200: headers("ETag", "Retry-After"),
        304: {"description": "Nothing has changed since the state that ``If-None-Match`` names."}
        | headers("ETag", "Retry-After"),
        **problems(JOB_LOST),
    },
)
async def get_job(
    job: str,
    request: Request,
    if_none_match: Annotated[
        str | None, Header(description="``ETag`` of the state that the caller knows; several, or ``*``.")
    ] = None,
    prefer: Annotated[
        str | None,
        Header(description="``wait=30``: answer as soon as there is a change, or after so many seconds."),
    ] = None,
) -> Response:
    """Counts by state, money, rate, what is held and why. ``Retry-After`` says when to ask again.

    ``ETag`` stands for all of it but the rate and the time left, which change while nothing happens.
    """
    parts, owner = parts_of(request), admit(request, "read").tenant
    snapshot, waited = await poll(parts, owner, job, request.receive, tags=if_none_match, prefer=prefer)
    return await _response(parts, owner, snapshot, if_none_match, waited)


class Polls:
    """The same route as plain ASGI; ``get_job`` above describes it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one poll."""
        said = _said(scope)
        parts: Context = scope["app"].state.context
        owner, job = permit(parts, said, scope, "read").tenant, scope["path_params"]["job"]
        tags, prefer, waited = said.get("if-none-match"), said.get("prefer"), None
        if prefer:
            snapshot, waited = await poll(parts, owner, job, receive, tags=tags, prefer=prefer)
        else:
            snapshot = await now(parts, owner, job)
        if tags and not waited and matches(tags, snapshot.tag):
            await send(_unchanged(snapshot))
            await send(_EMPTY)
            return
        response = await _response(parts, owner, snapshot, tags, waited)
        await response(scope, receive, send)


def _said(scope: Scope) -> dict[str, str]:
    """The headers that a poll is answered by; several lines of one are a list, of keys the first counts."""
    said: dict[str, str] = {}
    for raw, value in scope["headers"]:
        if (name := _LOOKED_AT.get(raw)) is None:
            continue
        text = value.decode("latin-1")
        if name not in said:
            said[name] = text
        elif name != "authorization":
            said[name] = f"{said[name]}, {text}"
    return said


def serve_first(app: FastAPI) -> None:
    """Let polls be served before all other routes are tried."""
    route = Route(PATH, Polls(), methods=["GET"], include_in_schema=False)
    route.methods = {"GET"}  # it adds HEAD by itself
    app.router.routes.insert(0, route)


async def poll(
    parts: Context, owner: str, job: str, receive: Receive, *, tags: str | None, prefer: str | None
) -> tuple[Snapshot, int | None]:
    """The job as it is now, or once it has changed; and the seconds of waiting that were granted.

    Raises:
        Problem: the tenant has no such job, or it is lost.
    """
    snapshot = await now(parts, owner, job)
    seconds = wished(prefer)
    if not seconds:
        return snapshot, None
    if snapshot.ended or (tags and (tags.strip() == "*" or not matches(tags, snapshot.tag))):
        return snapshot, seconds
    with parts.watches.waiters.take(owner) as seat:
        if not seat:
            return snapshot, None
        changed = await unless_gone(receive, _change(parts, owner, snapshot, seconds))
    return changed or snapshot, seconds


def now(parts: Context, owner: str, job: str) -> "asyncio.Future[Snapshot]":
    """The job as it is read after this was asked, with all who ask meanwhile."""
    return parts.reads.read((owner, job), lambda: snapshot_of(parts, owner, job))


async def _change(parts: Context, owner: str, snapshot: Snapshot, seconds: float) -> Snapshot | None:
    try:
        async with asyncio.timeout(seconds):
            return await next_change(parts, owner, snapshot)
    except TimeoutError:
        return None


async def next_change(parts: Context, owner: str, seen: Snapshot) -> Snapshot | None:
    """The job once it differs from what was seen; None: the process stops."""
    return await parts.watches.change((owner, seen.job), seen, lambda: now(parts, owner, seen.job))


def wished(prefer: str | None) -> int:
    """For how long a caller would wait, by its ``Prefer`` header; 0: not at all."""
    found = _WAIT.search(prefer) if prefer else None
    return min(int(found.group(1)), LONGEST_WAIT) if found else 0


def matches(tags: str, tag: str) -> bool:
    """Is a state among those of ``If-None-Match``? Tags are compared weakly, as RFC 9110 says."""
    if tags == tag or tags.strip() == "*":
        return True
    return tag.removeprefix("W/").strip('"') in _TAG.findall(tags)


async def _response(
    parts: Context, owner: str, snapshot: Snapshot, tags: str | None, waited: int | None
) -> Response:
    headers = dict(_headers(snapshot, waited))
    if tags and matches(tags, snapshot.tag):
        return Response(status_code=304, headers=headers)
    body = await body_of(parts, owner, snapshot)
    return Response(body, media_type="application/json", headers=headers)


def _unchanged(snapshot: Snapshot) -> Message:
    """The start of a 304, whose headers are made once for all who share the snapshot."""
    if snapshot.unchanged is None:
        snapshot.unchanged = Response(status_code=304, headers=dict(_headers(snapshot, None))).raw_headers
    # A list of its own: what lies around the application may add to it.
    return {"type": "http.response.start", "status": 304, "headers": list(snapshot.unchanged)}


def _headers(snapshot: Snapshot, waited: int | None) -> Iterable[tuple[str, str]]:
    yield "ETag", snapshot.tag
    yield "Cache-Control", "private, no-cache"
    seconds = patience(snapshot)
    if seconds is not None:
        yield "Retry-After", str(seconds)
    if waited:
        yield "Preference-Applied", f"wait={waited}"
