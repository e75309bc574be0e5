"""The TCP connection under a request: closed abruptly, waited on."""

import asyncio
import contextlib
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

STATE_KEY = "connection"
# Linger on, for no time at all: the kernel drops what is unsent and answers with RST instead of FIN.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection(H11Protocol):
    """Uvicorn's HTTP/1.1 protocol, which each of its requests can reach."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, STATE_KEY: self}, _loop)

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def reset(self) -> None:
        """Close at once, with a TCP reset."""
        peer: socket.socket | None = self.transport.get_extra_info("socket")
        if peer is not None and not self.transport.is_closing():
            with contextlib.suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.transport.abort()

    def close(self) -> None:
        """Close in order, after what was written has been sent."""
        self.transport.close()


def of(scope: Scope) -> Connection:
    """The connection that a request came in on.

    Raises:
        LookupError: the server does not run with `Connection` as its protocol.
    """
    connection = scope.get("state", {}).get(STATE_KEY)
    if not isinstance(connection, Connection):
        raise LookupError("the request came in on another kind of connection")
    return connection


async def gone(receive: Receive) -> None:
    """Wait until the client has closed the connection. The request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def stays(receive: Receive, seconds: float) -> bool:
    """Wait so many seconds; False as soon as the client has closed the connection instead."""
    if seconds <= 0:
        return True
    try:
        async with asyncio.timeout(seconds):
            await gone(receive)
    except TimeoutError:
        return True
    return False


def is_lost(scope: Scope) -> bool:
    """Whether the client has closed the connection before the answer was complete."""
    cycle = of(scope).cycle
    return bool(cycle.disconnected)
