"""``python -m benchmarks.api_server PORT``: the HTTP API as it is, and handlers beside it that do nothing.

``/nothing/plain`` is a route like that of the polls, ``/nothing/framework`` one like all others; neither
asks for a key. ``/reads`` tells how many reads of jobs the process has made.
"""

import sys

import uvloop
from fastapi import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.__main__ import Server, collect_less
from api.app import connected, make_app


class Nothing:
    """An empty 304."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 304, "headers": []})
        await send({"type": "http.response.body"})


async def serve(port: int) -> None:
    async with connected() as context:
        app = make_app(context)

        @app.get("/nothing/framework")
        async def nothing() -> Response:
            return Response(status_code=304)

        @app.get("/reads")
        async def reads() -> int:
            return context.reads.reads

        app.router.routes.insert(0, Route("/nothing/plain", Nothing(), methods=["GET"]))
        collect_less()
        await Server(app, context, "127.0.0.1", port).serve()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
