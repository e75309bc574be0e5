"""What goes wrong, said in words: the API's own problems, as pages."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.headers import ALWAYS
from api.problems import UNAUTHORIZED, Problem, answer
from dashboard.pages import HEADERS, page
from dashboard.viewer import NotLoggedIn, Viewer, session_of
from imagemill.domain.errors import ImagemillError

Handler = Callable[[Request, Exception], Awaitable[Response]]
KEPT = ("retry-after", "allow")
APART = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/problems/")
"""What programs ask for, whatever they accept."""

AGAIN = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>One moment</title>'
    '<meta http-equiv="refresh" content="0"></head><body><p>One moment…</p></body></html>'
)


def install(app: FastAPI) -> None:
    """Answer a person's request that fails with a page; a program's stays as it was."""
    for kind, handler in list(app.exception_handlers.items()):
        app.exception_handlers[kind] = _for_people(handler)
    app.exception_handlers[NotLoggedIn] = _to_login


def _for_people(handler: Any) -> Handler:
    async def handled(request: Request, error: Exception) -> Response:
        response: Response = await handler(request, error)
        if not _is_persons(request):
            return response
        return await _said(request, response)

    return handled


def _is_persons(request: Request) -> bool:
    endpoint = request.scope.get("endpoint")
    if endpoint is not None:
        return str(getattr(endpoint, "__module__", "")).startswith("dashboard.") and _reads_pages(request)
    return _reads_pages(request) and not request.url.path.startswith(APART)


def _reads_pages(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


async def _said(request: Request, response: Response) -> Response:
    """The problem document as a page."""
    problem = json.loads(bytes(response.body))
    if getattr(request.state, "viewer", None) is None:
        # Not more than the navigation depends on it, and the store may be what is away.
        with suppress(ImagemillError):
            session = await session_of(request)
            request.state.viewer = Viewer(session) if session else None
    kept = {name: response.headers[name] for name in KEPT if name in response.headers}
    status = response.status_code
    made = await _made(request, problem, status)
    made.headers.update(kept)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:  # made outside of what adds them
        made.headers.update({name: value for name, value in ALWAYS.items() if name not in made.headers})
    return made


async def _made(request: Request, problem: dict[str, Any], status: int) -> Response:
    said = {
        name: problem.get(name, missing) for name, missing in (("title", ""), ("detail", ""), ("errors", []))
    }
    try:
        return await page(request, "problem.html", status=status, code=status, **said)
    except ImagemillError:
        text = f"<!doctype html><title>{status}</title><p>{HTTPStatus(status).phrase}</p>"
        return HTMLResponse(text, status, HEADERS)


async def _to_login(request: Request, _: Exception) -> Response:
    """Lead a person to the login, and back afterwards; tell a script that it is over."""
    if request.method != "GET" or not _reads_pages(request):
        return answer(Problem(UNAUTHORIZED, "you are not logged in, or your session is over; log in again"))
    if request.headers.get("sec-fetch-site") == "cross-site":
        # The cookie is not sent where a link of another site leads here; it is with the page's own request.
        return HTMLResponse(AGAIN, headers=HEADERS)
    to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(to, safe='')}", 303, headers={"Cache-Control": "no-store"})
