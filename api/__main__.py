"""``python -m api``: serve the HTTP API; settings come from the environment."""

import argparse
import gc
import socket
import sys

import uvicorn
import uvloop
from starlette.types import ASGIApp

from api.app import connected, make_app
from api.context import Context
from api.server import config_of
from imagemill.domain.errors import ImagemillError
from imagemill.logging import configure

GARBAGE = 20_000
"""So many new objects make it worth looking for garbage."""


def main() -> int:
    """Read the command line and serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback alone)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")
    arguments = parser.parse_args()
    configure("api")
    try:
        return uvloop.run(serve(arguments.host, arguments.port))
    except ImagemillError as error:
        print(f"imagemill api: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 0


async def serve(host: str, port: int) -> int:
    """Connect the parts, then serve."""
    async with connected() as context:
        server = Server(make_app(context), context, host, port)
        collect_less()
        await server.serve()
        return 0 if server.started else 3


def collect_less() -> None:
    """Look for garbage less often, and never at what was there from the start.

    A thousand requests that wait are no garbage, and looking at them over and over costs a third of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 10, 10)


class Server(uvicorn.Server):
    """Uvicorn, on its quickest loop and parser, which lets those go at once who wait when it stops."""

    def __init__(self, app: ASGIApp, context: Context, host: str, port: int) -> None:
        self._watches = context.watches
        super().__init__(config_of(app, host, port))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; waiting callers get the state as it is."""
        self._watches.close()
        await super().shutdown(sockets)


if __name__ == "__main__":
    sys.exit(main())
