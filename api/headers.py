"""What every answer says to a browser, errors included: show nothing, run nothing, keep nothing.

What an answer says of these by itself wins: the dashboard's pages show their own styles and images.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}
BY_DEFAULT = {"cache-control": "no-store"}
"""A route may say ``private, no-cache`` beside an ETag."""

_HEADERS = [(name.encode(), value.encode()) for name, value in (ALWAYS | BY_DEFAULT).items()]


class SecurityHeaders:
    """Adds them to the start of every answer that passes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer back with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _guarded(list(message.get("headers", ())))}
            await send(message)

        await self._app(scope, receive, guarded)


def _guarded(said: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name for name, _ in said}
    return [*said, *(header for header in _HEADERS if header[0] not in names)]
