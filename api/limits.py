"""Bodies that are too large are refused before they are read."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import TOO_LARGE, Problem, answer

JOB_BYTES = 32 * 1024 * 1024
FILE_BYTES = 5 * 1024**3


class BodyLimit:
    """Counts what comes in, and answers 413 once it is too much."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as far as it stays within its limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = FILE_BYTES if scope["path"].startswith("/v1/files") else JOB_BYTES
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
            return message

        try:
            if _announced(scope) > limit:
                raise _too_large(limit)
            await self._app(scope, counted, send)
        except Problem as problem:
            await answer(problem)(scope, receive, send)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _too_large(limit: int) -> Problem:
    return Problem(
        TOO_LARGE, f"a request of this kind may have {limit:,} bytes; send a manifest as a file instead"
    )
