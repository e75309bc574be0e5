"""The HTTP server around the application."""

import json
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from sandbox.image_api.app import Settings, build
from sandbox.image_api.connection import Connection

# Longer than any client keeps an idle connection, so that none finds it closed under its next call.
KEEP_ALIVE_SECONDS = 300


class Server(uvicorn.Server):
    """Says when it listens, and does not wait for open calls when it is told to stop."""

    def __init__(self, config: uvicorn.Config, url: str, ready_file: Path | None) -> None:
        super().__init__(config)
        self._url = url
        self._ready_file = ready_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say so."""
        await super().startup(sockets)
        if self._ready_file:
            part = self._ready_file.with_suffix(".part")
            part.write_text(json.dumps({"url": self._url, "pid": os.getpid()}), encoding="utf-8")
            part.replace(self._ready_file)
        sys.stdout.write(f"image API sandbox listening on {self._url}\n")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up on the calls that are open, and stop."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection) and connection.is_busy:
                connection.reset()
        await super().shutdown(sockets)


def serve(settings: Settings, listener: socket.socket, ready_file: Path | None) -> None:
    """Serve on a bound socket until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        build(settings),
        http=Connection,
        ws="none",
        loop="asyncio",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        backlog=4096,
    )
    # Uvicorn raises the signal that stopped it once more, when all is closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    Server(config, settings.base_url, ready_file).run([listener])


def listen(host: str, port: int) -> socket.socket:
    """Bind a TCP socket; port 0 takes a free one.

    Raises:
        OSError: the port is taken, or the host is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _leave(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)
