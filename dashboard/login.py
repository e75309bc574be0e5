"""In and out: a session for an API key."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from api.context import parts_of
from api.problems import RATE_LIMITED, UNAUTHORIZED, Problem
from dashboard.csrf import check_origin
from dashboard.pages import THEME, THEMES, cookie_of, local, page, then
from dashboard.session import COOKIE, LASTS, Seals
from dashboard.viewer import Viewer, seals_of, sending, session_of

FAILURES = 10
WITHIN = 60.0
"""So many wrong keys may come from an address in so many seconds."""
MOST_ADDRESSES = 10_000
KEY_CHARACTERS = 500

router = APIRouter()


class Failures:
    """Wrong keys by address, of the last minute; each process counts for itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises Problem: too many came from there."""
        known = self._at.get(address, ())
        recent = [at for at in known if at > self._clock() - WITHIN]
        if len(recent) >= FAILURES:
            wait = str(int(recent[0] + WITHIN - self._clock()) + 1)
            detail = f"too many wrong keys came from your address; try again in {wait} seconds"
            raise Problem(RATE_LIMITED, detail, headers={"Retry-After": wait})

    def add(self, address: str) -> None:
        """One more."""
        self._at.setdefault(address, deque(maxlen=FAILURES)).append(self._clock())
        self._at.move_to_end(address)
        while len(self._at) > MOST_ADDRESSES:
            self._at.popitem(last=False)


@router.get("/")
async def root(request: Request) -> Response:
    """A person's way in; to a program there is nothing at this address."""
    if "text/html" not in request.headers.get("accept", ""):
        raise HTTPException(404)
    session = await session_of(request)
    return RedirectResponse("/system" if session and session.caller is None else "/jobs", 303)


@router.get("/login")
async def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Ask for a key; who has a session goes on."""
    if await session_of(request):
        return RedirectResponse(local(next), 303)
    return await page(request, "login.html", next=local(next), problem=None)


@router.post("/login")
async def login(request: Request) -> Response:
    """Open a session for a key that may look."""
    check_origin(request)
    form = await request.form()
    to = local(_said(form, "next"))
    failures: Failures = request.app.state.failures
    address = request.client.host if request.client else ""
    seals = await seals_of(request)
    try:
        failures.check(address)
        cookie = _open(seals, request, _said(form, "key").strip())
    except Problem as problem:
        if problem.kind is UNAUTHORIZED:
            failures.add(address)
        said = {"next": to, "problem": _in_words(problem)}
        return await page(request, "login.html", status=problem.kind.status, headers=problem.headers, **said)
    response = RedirectResponse(to, 303)
    response.set_cookie(COOKIE, cookie, max_age=LASTS, **cookie_of(request))
    return response


@router.post("/logout")
async def logout(request: Request, _: Annotated[FormData, Depends(sending)]) -> Response:
    """Forget the session, and let its cookie be worth nothing."""
    viewer: Viewer = request.state.viewer
    (await seals_of(request)).end(viewer.session)
    response = await then(request, "/login", "You are logged out.")
    response.delete_cookie(COOKIE, **cookie_of(request))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@router.post("/theme")
async def theme(request: Request) -> Response:
    """Light, dark, or as the system has it."""
    check_origin(request)
    form = await request.form()
    response = RedirectResponse(local(_said(form, "next")), 303)
    choice = _said(form, "theme")
    if choice in THEMES:
        response.set_cookie(THEME, choice, max_age=365 * 86400, **cookie_of(request))
    else:
        response.delete_cookie(THEME, **cookie_of(request))
    return response


def _open(seals: Seals, request: Request, key: str) -> str:
    parts = parts_of(request)
    if not key or len(key) > KEY_CHARACTERS:
        raise Problem(UNAUTHORIZED, "enter an API key, such as im_…")
    cookie = seals.open(parts, key)
    session = seals.read(parts, cookie)
    if session and session.caller:
        parts.rates.count(session.caller, request.scope)
        Viewer(session).require("read")
    return cookie


def _in_words(problem: Problem) -> str:
    return f"{problem.detail[:1].upper()}{problem.detail[1:]}."


def _said(form: FormData, name: str) -> str:
    said = form.get(name)
    return said if isinstance(said, str) else ""
