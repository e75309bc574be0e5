"""``python -m api``: serve the HTTP API; settings come from the environment."""

import argparse
import sys

import uvicorn

from api.app import create_app
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
        app = create_app()
    except ImagemillError as error:
        print(f"imagemill api: {error}", file=sys.stderr)  # noqa: T201
        return 2
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=arguments.host,
            port=arguments.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
        )
    )
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
