"""A client that says one thing after the other to the application, and may fall silent or leave."""

import asyncio
import json
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message


class Conversation:
    """One request at the level of ASGI.

    Attributes:
        status: of the answer.
        headers: of the answer.
        body: of the answer.
        waits: set when the application waits for what was not said yet.
        read_before_the_answer: whether the application asked for the body before it began to answer.
        closed: whether the answer is finished.
    """

    def __init__(self, method: str, target: str, headers: dict[str, str] | None = None) -> None:
        path, _, query = target.partition("?")
        said = {"host": "api", "transfer-encoding": "chunked"} | (headers or {})
        if "content-length" in said:
            del said["transfer-encoding"]
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in said.items()],
            "client": ("127.0.0.1", 1),
            "server": ("api", 80),
        }
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.waits = asyncio.Event()
        self.read_before_the_answer = self.closed = False

    def says(self, data: bytes, *, more: bool = False) -> None:
        """Send the next piece of the body."""
        self._said.put_nowait({"type": "http.request", "body": data, "more_body": more})

    def leaves(self) -> None:
        """Close the connection."""
        self._said.put_nowait({"type": "http.disconnect"})

    async def run(self, app: ASGIApp) -> None:
        """Until the application has answered."""
        await app(self._scope, self._receive, self._send)

    @property
    def problem(self) -> dict[str, Any]:
        """The answer, a problem document."""
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(self.body)
        return found

    async def _receive(self) -> Message:
        self.read_before_the_answer = self.read_before_the_answer or not self.status
        if self._said.empty():
            if self.headers.get("connection") == "close":
                return {"type": "http.disconnect"}  # having its answer, it leaves
            self.waits.set()
        return await self._said.get()

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not self.status, "a second answer began"
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            assert not self.closed, "the answer was finished already"
            self.body += message.get("body", b"")
            self.closed = not message.get("more_body", False)
