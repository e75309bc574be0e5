"""Did a page of this dashboard send the form? By its origin, and by a word that only its pages know."""

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from api.problems import FORBIDDEN, Problem

FIELD = "csrf"
HEADER = "x-csrf-token"
"""Where a script sends the word that is no form."""

_STALE = (
    "this form is not of your session: it is old, or another site sent it; go back, load the page again, "
    "and send it once more"
)


def check_origin(request: Request) -> None:
    """Was it sent by a page of this host? A browser says so with every form; the rest is no browser.

    Raises:
        Problem: by another one, or nobody says by whom.
    """
    origin = request.headers.get("origin")
    if origin is not None:
        own = urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower() != ""
    else:
        own = request.headers.get("sec-fetch-site") == "same-origin"
    if not own:
        raise Problem(FORBIDDEN, "a form is taken from the dashboard's own pages alone")


def check_word(said: object, right: str) -> None:
    """Does the form carry the word of the session?

    Raises:
        Problem: it does not.
    """
    if not (isinstance(said, str) and hmac.compare_digest(said.encode(), right.encode())):
        raise Problem(FORBIDDEN, _STALE)
