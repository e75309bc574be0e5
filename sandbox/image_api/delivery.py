"""Ways of sending an answer: whole, in drips, as events, or cut off."""

import json
from collections.abc import Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.image_api import connection
from sandbox.image_api.errors import ApiError

DRIPS = 20
JSON = "application/json"
EVENTS = "text/event-stream"


class Refusal(Response):
    """The answer that refuses a request."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(json.dumps(error.body()), error.status, error.headers, JSON)
        self.code = error.code


class DrippingResponse(Response):
    """The answer in twenty parts, evenly spread over some seconds."""

    def __init__(
        self, content: bytes, headers: Mapping[str, str], seconds: float, media_type: str = JSON
    ) -> None:
        super().__init__(content, headers=headers, media_type=media_type)
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts, until the client has gone."""
        body = bytes(self.body)
        step = max(1, -(-len(body) // DRIPS))
        parts = [body[start : start + step] for start in range(0, len(body), step)]
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            if not await connection.stays(receive, self._seconds / DRIPS):
                return
        await send({"type": "http.response.body"})


class EventsResponse(Response):
    """Events, each after its share of some seconds; how many bytes they have is not said."""

    def __init__(self, events: Sequence[bytes], headers: Mapping[str, str], seconds: float) -> None:
        super().__init__(None, headers=headers, media_type=EVENTS)
        del self.headers["content-length"]
        self._events = events
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, until the client has gone."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for event in self._events:
            if not await connection.stays(receive, self._seconds / len(self._events)):
                return
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body"})


class TruncatedResponse(Response):
    """The first half of an answer whose headers promise all of it."""

    def __init__(self, content: bytes, headers: Mapping[str, str], media_type: str = JSON) -> None:
        super().__init__(content, headers=headers, media_type=media_type)

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
