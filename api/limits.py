"""How much and how slowly a caller may send. What is too much is refused before it is read.

Whatever the answer, a body that was not read to its end is not waited for for long: the answer says
``Connection: close``, and after it, what still comes is thrown away for a moment, since a connection that is
closed while the other side sends loses the answer on its way.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import HEADERS_LARGE, QUERY_LONG, SLOW, TOO_LARGE, Problem, answer

MIB = 1024 * 1024
JSON_BYTES = 32 * MIB
FILE_BYTES = 5 * 1024 * MIB
PAGE_BYTES = 64 * MIB
"""Of the dashboard's submit form, with the feed in it; a larger feed is uploaded by itself."""
FORM_BYTES = 64 * 1024
"""Of a form, what is not the file itself."""
OPEN_FORMS = frozenset({"/login", "/logout", "/theme"})
"""Forms of the dashboard that are read before anybody is known."""
PART_BYTES = 16 * MIB
LEAST_PART_BYTES = 5 * MIB
"""All parts but the last, by the rules of S3."""
MOST_PARTS = FILE_BYTES // LEAST_PART_BYTES
FILENAME_CHARACTERS = 255
HEADER_BYTES = 32 * 1024
QUERY_BYTES = 8 * 1024
HEAD_BYTES = 64 * 1024
"""Of method, address and headers; above it there is no more than a bare 400."""
HEAD_SECONDS = 30.0
UPLOADS_AT_ONCE = 16
"""Bodies of files and parts that one process takes in at a time."""
UPLOADS_OF_ONE = 8
"""Of these, for one tenant: there is always room for another one."""

GAP_SECONDS = 60.0
"""The longest silence within a body."""
SLOWEST = 8 * 1024
"""Bytes a second; a body that comes slower on average, but for a minute's grace, is given up."""
LINGER_SECONDS = 5.0
LINGER_BYTES = 64 * MIB


class BodyLimit:
    """Counts what comes in, and answers 408, 413, 414 or 431 once it is too much or too slow."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as far as it stays within its limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = _head_of(scope)
        if head.problem is None and not head.has_body:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, head)
        if head.problem is None and head.announced > exchange.limit:
            head.problem = _too_large(exchange.limit)
        await exchange.run(self._app)


@dataclass(slots=True)
class _Head:
    """What the head of a request says of its body, and what is wrong with it."""

    announced: int = 0
    has_body: bool = False
    asks_first: bool = False
    problem: Problem | None = None


def _head_of(scope: Scope) -> _Head:
    head, size = _Head(), 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"content-length" and value.isdigit():
            head.announced = int(value)
            head.has_body = head.has_body or head.announced > 0
        elif name == b"transfer-encoding":
            head.has_body = True
        elif name == b"expect":
            head.asks_first = value.lower() == b"100-continue"
    if size > HEADER_BYTES:
        head.problem = Problem(HEADERS_LARGE, f"all headers together may have {HEADER_BYTES:,} bytes")
    elif len(scope["query_string"]) > QUERY_BYTES:
        head.problem = Problem(QUERY_LONG, f"the query may have {QUERY_BYTES:,} bytes")
    return head


@dataclass(slots=True)
class _Exchange:
    """One request with a body, and its answer."""

    scope: Scope
    from_client: Receive
    to_client: Send
    head: _Head
    limit: int = field(init=False)
    seen: int = 0
    waited: float = 0.0
    asked: bool = False
    read_whole: bool = field(init=False)
    answered: bool = False

    def __post_init__(self) -> None:
        self.limit = limit_of(self.scope["path"])
        self.read_whole = not self.head.has_body

    async def run(self, app: ASGIApp) -> None:
        """Let the application answer, unless the request breaks a limit: then that is the answer."""
        if self.head.problem is None:
            try:
                await app(self.scope, self.receive, self.send)
            except Exception:
                if self.head.problem is None or self.answered:
                    raise
        if self.head.problem is not None and not self.answered:
            await answer(self.head.problem)(self.scope, self.receive, self._send_closing)

    async def receive(self) -> Message:
        """The next message of the client, counted and within its time."""
        if self.read_whole:
            return await self.from_client()
        message = await self._in_time()
        if message["type"] == "http.request":
            self.seen += len(message.get("body", b""))
            self.read_whole = not message.get("more_body", False)
        if self.seen > self.limit:
            self._refuse(_too_large(self.limit))
        return message

    async def send(self, message: Message) -> None:
        """Pass the application's answer on, unless a limit was broken before it began."""
        if self.head.problem is None or self.answered:
            await self._send_closing(message)

    async def _in_time(self) -> Message:
        self.asked = True
        left = GAP_SECONDS + self.seen / SLOWEST - self.waited
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(min(GAP_SECONDS, left)):
                return await self.from_client()
        except TimeoutError:
            self._refuse(Problem(SLOW, _SLOW))
            raise  # never reached
        finally:
            self.waited += clock() - began

    def _refuse(self, problem: Problem) -> None:
        self.head.problem = problem
        raise problem

    async def _send_closing(self, message: Message) -> None:
        starts = message["type"] == "http.response.start"
        self.answered = self.answered or starts
        if self.read_whole:
            await self.to_client(message)
        elif starts:
            said = [header for header in message.get("headers", ()) if header[0] != b"connection"]
            await self.to_client({**message, "headers": [*said, (b"connection", b"close")]})
        elif message.get("more_body"):
            await self.to_client(message)
        else:
            await self.to_client({**message, "more_body": True})
            await self._throw_away()
            await self.to_client({"type": "http.response.body", "body": b"", "more_body": False})

    async def _throw_away(self) -> None:
        if self.head.asks_first and not self.asked:
            return  # it was never told to send
        left = LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0:
                    message = await self.from_client()
                    if not message.get("more_body"):
                        return
                    left -= len(message["body"])


def limit_of(path: str) -> int:
    """How many bytes the body of a request to this path may have."""
    if path == "/v1/files":
        return FILE_BYTES + FORM_BYTES
    if path == "/submit":
        return PAGE_BYTES
    if path.startswith("/v1/uploads/") and "/parts/" in path:
        return PART_BYTES
    if path in OPEN_FORMS:
        return FORM_BYTES
    return JSON_BYTES


_SLOW = (
    f"the body came too slowly: {GAP_SECONDS:.0f} seconds may pass without a byte, and {SLOWEST:,} bytes a "
    "second are the least"
)


def _too_large(limit: int) -> Problem:
    more = {
        JSON_BYTES: "; send a manifest as a file instead",
        PART_BYTES: "; send more parts instead",
    }
    return Problem(TOO_LARGE, f"a body of this kind may have {limit:,} bytes{more.get(limit, '')}")
