"""Pages: templates, rendered with who looks at them, and what the page before had to say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dashboard import words
from dashboard.assets import VERSION
from dashboard.viewer import Viewer, seals_of

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-store",
    # With no-referrer a browser would not say either which origin a form is of.
    "Referrer-Policy": "same-origin",
}
NOTE = "imagemill_note"
NOTE_CHARACTERS = 400
"""It travels in a cookie."""
THEME = "imagemill_theme"
THEMES = ("light", "dark")


def _environment() -> Environment:
    """Templates in which every value is text, and one that is missing is an error."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= words.FILTERS
    made.globals |= {"static": f"/static/{VERSION}", "now": words.now}
    return made


ENVIRONMENT = _environment()


async def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **said: Any,
) -> HTMLResponse:
    """A page for whoever is logged in: ``said`` are the variables of its template."""
    note = await _note(request)
    viewer: Viewer | None = getattr(request.state, "viewer", None)
    theme = request.cookies.get(THEME)
    text = ENVIRONMENT.get_template(template).render(
        viewer=viewer,
        path=request.url.path,
        note=note,
        theme=theme if theme in THEMES else None,
        **said,
    )
    response = HTMLResponse(text, status, {**HEADERS, **(headers or {})})
    if NOTE in request.cookies:
        response.delete_cookie(NOTE, samesite="strict")
    return response


def fragment(template: str, **said: Any) -> HTMLResponse:
    """A part of a page, for the script that puts it in its place."""
    return HTMLResponse(ENVIRONMENT.get_template(template).render(**said), headers=HEADERS)


async def then(request: Request, to: str, said: str | None = None, *, bad: bool = False) -> Response:
    """Go on to a page, which says how it went. ``bad``: it did not go well."""
    response = RedirectResponse(to, 303)
    if said is not None:
        note = (await seals_of(request)).note([said[:NOTE_CHARACTERS], bad])
        response.set_cookie(NOTE, note, max_age=60, **cookie_of(request))
    return response


def cookie_of(request: Request) -> dict[str, Any]:
    """How cookies of ours are set: for this host alone, and out of reach for scripts and other sites."""
    return {"httponly": True, "samesite": "strict", "secure": request.url.scheme == "https", "path": "/"}


def local(path: str | None, otherwise: str = "/") -> str:
    """A path of this host to go to, and nothing that a browser could take for another host's."""
    if not path or not path.startswith("/") or len(path) > 2000:
        return otherwise
    if path.startswith("//") or "\\" in path or not path.isprintable():
        return otherwise
    parts = urlsplit(path)
    return otherwise if parts.scheme or parts.netloc else path


async def _note(request: Request) -> dict[str, Any] | None:
    if NOTE not in request.cookies:
        return None
    said = (await seals_of(request)).noted(request.cookies[NOTE])
    return {"text": said[0], "bad": said[1]} if isinstance(said, list) else None
