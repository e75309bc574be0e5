"""No key, no reading: who sends a body without a known key is answered before a byte of it is read."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.context import Context
from api.problems import Problem, answer

KEYED = "/v1/"
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class KeyFirst:
    """Lets requests pass whose key is a tenant's or the operator's; what it may do, their routes decide."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] == "http" and scope["method"] in WITH_BODY and scope["path"].startswith(KEYED):
            try:
                _look_at_key(scope)
            except Problem as problem:
                await answer(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _look_at_key(scope: Scope) -> None:
    parts: Context = scope["app"].state.context
    headers = Headers(scope=scope)
    if not parts.is_operator(headers):
        parts.keys.authenticate(headers)
