"""The server under the application: how long the head of a request may take, and how large it may be.

uvicorn waits for ever for a head that does not come to its end. What is refused here is answered by 400 in
plain text, since there is no request yet.
"""

import asyncio

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from api.limits import HEAD_BYTES, HEAD_SECONDS


class TimedHead(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A connection that is closed where the head of a request does not come, or does not end."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that still has not ended has so long from its first byte on."""
        came_early = self.cycle is not None and not (self.cycle.response_complete or self.cycle.more_body)
        super().data_received(data)
        if self.transport.is_closing():
            self._stop_waiting()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_deadline()
            self._head_bytes = self._head_bytes + len(data) if came_early else 0
            if self._head_bytes > HEAD_BYTES:
                self.transport.close()  # the next request has come before its turn, and is too much to keep
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self.send_400_response("The head of the request is too large.")
        elif self._deadline is None:
            self._wait_for_head()

    def on_response_complete(self) -> None:
        """Begin with the next request."""
        self._stop_waiting()
        super().on_response_complete()

    def _wait_for_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        self._head_bytes = 0
        self._stop_deadline()

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.send_400_response("The head of the request came too slowly.")


def config_of(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    """How the application is served."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=TimedHead,
        ws="none",
        server_header=False,
        h11_max_incomplete_event_size=HEAD_BYTES,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
