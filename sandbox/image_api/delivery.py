"""Ways of sending an answer: whole, in drips, or cut off."""

import json
from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.image_api import connection
from sandbox.image_api.errors import ApiError

DRIPS = 20


def refusal(error: ApiError) -> Response:
    """The answer that refuses a request."""
    return Response(json.dumps(error.body()), error.status, error.headers, "application/json")


class DrippingResponse(Response):
    """The answer in twenty parts, evenly spread over some seconds."""

    def __init__(self, content: bytes, headers: Mapping[str, str], seconds: float) -> None:
        super().__init__(content, headers=headers, media_type="application/json")
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts, until the client has gone."""
        body = bytes(self.body)
        step = max(1, -(-len(body) // DRIPS))
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for start in range(0, len(body), step):
            await send({"type": "http.response.body", "body": body[start : start + step], "more_body": True})
            if not await connection.stays(receive, self._seconds / DRIPS):
                return
        await send({"type": "http.response.body"})


class TruncatedResponse(Response):
    """The first half of an answer whose headers promise all of it."""

    def __init__(self, content: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(content, headers=headers, media_type="application/json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the half and close the connection."""
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": half, "more_body": True})
        connection.of(scope).close()
        await connection.gone(receive)


class ResetResponse(Response):
    """No answer: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reset the connection."""
        connection.of(scope).reset()
        await connection.gone(receive)
