"""``python -m api``: serve the HTTP API; settings come from the environment."""

import argparse
import asyncio
import sys

import uvicorn

from api.app import connected, make_app
from api.server import config_of
from imagemill.domain.errors import ImagemillError
from imagemill.logging import configure


def main() -> int:
    """Read the command line and serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback alone)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")
    arguments = parser.parse_args()
    configure("api")
    try:
        return asyncio.run(serve(arguments.host, arguments.port))
    except ImagemillError as error:
        print(f"imagemill api: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 0


async def serve(host: str, port: int) -> int:
    """Connect the parts, then serve."""
    async with connected() as context:
        server = uvicorn.Server(config_of(make_app(context), host, port))
        await server.serve()
        return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
