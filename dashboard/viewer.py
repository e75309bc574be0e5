"""Who looks at a page, and what that one may do: the dependencies of all routes of the dashboard."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData

from api.context import Context, parts_of
from api.keys import lacks
from api.limits import MIB
from api.problems import FORBIDDEN, Problem
from api.receiving import slots
from dashboard.csrf import FIELD, HEADER, check_origin, check_word
from dashboard.session import COOKIE, Sealing, Seals, Session
from imagemill.domain.access import Caller, Scope

A_PAGE = 50
"""So many images go with one request for a page."""


class NotLoggedIn(Exception):
    """The request has no session; a browser is led to the login."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is logged in."""

    session: Session

    @property
    def caller(self) -> Caller:
        """Whom the key stands for.

        Raises:
            Problem: for the operator, who is no tenant.
        """
        if self.session.caller is None:
            raise Problem(FORBIDDEN, "this page is a tenant's; you are logged in with the operator's key")
        return self.session.caller

    @property
    def tenant(self) -> str:
        """Whose jobs it may see. Raises Problem: the operator has none."""
        return self.caller.tenant

    @property
    def csrf(self) -> str:
        """What its forms carry."""
        return self.session.csrf

    @property
    def is_operator(self) -> bool:
        """Is it the operator's key?"""
        return self.session.caller is None

    def may(self, scope: Scope) -> bool:
        """Does its key have this scope? The operator's has none."""
        return self.session.caller is not None and scope in self.session.caller.scopes

    def require(self, scope: Scope) -> None:
        """Raises Problem: its key may not do this."""
        if not self.may(scope):
            raise lacks(scope, self.caller)


async def seals_of(request: Request) -> Seals:
    """What the application signs with. Raises StoreError: the store is away, and has not been asked yet."""
    sealing: Sealing = request.app.state.sealing
    return await sealing.seals(parts_of(request).control)


async def session_of(request: Request) -> Session | None:
    """The session that a request carries, if its key still opens something."""
    seals = await seals_of(request)
    return seals.read(parts_of(request), request.cookies.get(COOKIE))


async def anybody(request: Request) -> Viewer:
    """Whoever is logged in, the operator too; each request is counted, as the API counts it.

    Raises:
        NotLoggedIn: nobody.
        Problem: the key sends too many requests.
    """
    session = await session_of(request)
    if session is None:
        raise NotLoggedIn
    viewer = request.state.viewer = Viewer(session)
    if session.caller:
        parts_of(request).rates.count(session.caller, request.scope)
    return viewer


async def looking(request: Request) -> Viewer:
    """Somebody who may look at a tenant's things.

    Raises:
        NotLoggedIn: nobody is logged in.
        Problem: the key may not look.
    """
    viewer = await anybody(request)
    viewer.require("read")
    return viewer


async def picturing(request: Request) -> Viewer:
    """The same for what a page shows many of: they are counted apart, as so many a page.

    Raises:
        NotLoggedIn: nobody is logged in.
        Problem: the key may not look, or sends too many requests.
    """
    session = await session_of(request)
    if session is None:
        raise NotLoggedIn
    viewer = request.state.viewer = Viewer(session)
    viewer.require("read")
    limit = viewer.caller.requests_per_minute
    if limit is not None:
        apart = replace(
            viewer.caller, key_id=f"{viewer.caller.key_id} images", requests_per_minute=limit * A_PAGE
        )
        parts_of(request).rates.count(apart, request.scope)
    return viewer


async def sending(request: Request) -> FormData:
    """The form that somebody who is logged in has sent from a page of this dashboard, read and checked.

    Raises:
        NotLoggedIn: nobody is logged in.
        Problem: it comes from elsewhere.
    """
    check_origin(request)
    viewer = await anybody(request)
    if HEADER in request.headers:
        check_word(request.headers[HEADER], viewer.csrf)
        return await _form_of(request, viewer)
    form = await _form_of(request, viewer)
    check_word(form.get(FIELD), viewer.csrf)
    return form


async def _form_of(request: Request, viewer: Viewer) -> FormData:
    """The form of a request. A large one is kept on the disk, and is an upload: only so many come in at once.

    Raises:
        Problem: that many do already.
    """
    size = request.headers.get("content-length", "")
    is_small = size.isascii() and size.isdigit() and len(size) < 8 and int(size) <= MIB
    if viewer.is_operator or is_small:
        return await request.form()
    with slots(request).one(viewer.tenant):
        return await request.form()


async def changing(request: Request, form: Annotated[FormData, Depends(sending)]) -> "Change":
    """What somebody who may change a tenant's things wants changed.

    Raises:
        NotLoggedIn: nobody is logged in.
        Problem: it comes from elsewhere, or the key may not.
    """
    viewer: Viewer = request.state.viewer
    viewer.require("submit")
    return Change(viewer, form)


@dataclass(frozen=True, slots=True)
class Change:
    """A form, and who sent it."""

    viewer: Viewer
    form: FormData

    def text(self, name: str) -> str:
        """A field of the form without the spaces around it; empty where it was not sent."""
        said = self.form.get(name)
        return said.strip() if isinstance(said, str) else ""


async def _parts(request: Request) -> Context:
    return parts_of(request)


Parts = Annotated[Context, Depends(_parts)]
Anybody = Annotated[Viewer, Depends(anybody)]
Looking = Annotated[Viewer, Depends(looking)]
Picturing = Annotated[Viewer, Depends(picturing)]
Changing = Annotated[Change, Depends(changing)]
