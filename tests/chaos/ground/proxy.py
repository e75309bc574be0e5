"""A TCP proxy before one server: slow, narrow or broken off as it is told, and as lossy as a cut link."""

import asyncio
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from tests.chaos.ground.links import HOST

PIECE = 64 * 1024
TICK = 0.05
"""Seconds between the pieces of a throttled stream."""
AT_ONCE = struct.pack("ii", 1, 0)
"""To linger for no time: closing a socket then resets its connection."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """What is wrong with a link that isn't cut.

    Attributes:
        delay_s: each piece of data waits so long, in each direction.
        bytes_per_s: no more passes in each direction of a connection.
        truncate_after: so many bytes of answers pass on a connection, from then on, and then it ends.
        then: how it ends.
    """

    delay_s: float = 0.0
    bytes_per_s: int | None = None
    truncate_after: int | None = None
    then: Literal["close", "reset"] = "close"


class Proxy:
    """Listens on a port of its own, and passes on what it is sent.

    Cuts are as in `network`, but for three things. A connection is always accepted, if only to be kept
    waiting or to be reset. A reset strikes connections at once, also those that only wait for an answer. And
    one that lost an answer is reset as soon as the cut is mended.
    """

    def __init__(self, port: int, server_port: int) -> None:
        self.port = port
        self._server_port = server_port
        self._ways: Counter[str] = Counter()
        self._slow: list[Slowness] = []
        self._passable = asyncio.Event()
        self._passable.set()
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens from now on."""
        self._listener = await asyncio.start_server(self._serve, HOST, self.port)

    async def close(self) -> None:
        """Stops listening, and resets what is open."""
        if self._listener is not None:
            self._listener.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self, how: str) -> None:
        """Cuts the link in one of the ways of `network`."""
        self._ways[how] += 1
        if how == "drop":
            self._passable.clear()
        if how == "reset":
            self._reset(list(self._connections.values()))

    def mend(self, how: str) -> None:
        """Mends one such cut. Does nothing if there is none."""
        self._ways[how] = max(0, self._ways[how] - 1)
        if not self._ways["drop"]:
            self._passable.set()
        if not self._ways["lose-replies"]:
            self._reset([each for each in self._connections.values() if each.lost])

    def slow(self, slowness: Slowness) -> None:
        """Makes it slower, beside what slows it already."""
        self._slow.append(slowness)
        for connection in self._connections.values():
            connection.answered = 0

    def ease(self, slowness: Slowness) -> None:
        """Takes that back. Does nothing if it isn't so."""
        with suppress(ValueError):
            self._slow.remove(slowness)

    def _reset(self, connections: "list[Connection]") -> None:
        for connection in connections:
            connection.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = connection = Connection(self, reader, writer)
        try:
            await connection.run()
        finally:
            del self._connections[task]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the server behind it.

        Raises:
            OSError: it does not listen, or the link is cut by resets.
        """
        await self._passable.wait()
        if self._ways["reset"]:
            raise ConnectionResetError
        return await asyncio.open_connection(HOST, self._server_port)

    async def passage(self, size: int) -> None:
        """Returns once a piece of that size may pass."""
        await self._passable.wait()
        for slowness in list(self._slow):
            await asyncio.sleep(slowness.delay_s)
            if slowness.bytes_per_s:
                await asyncio.sleep(size / slowness.bytes_per_s)
        await self._passable.wait()

    @property
    def piece(self) -> int:
        """How much is read at once: little where it is throttled, so that it flows evenly."""
        rates = [each.bytes_per_s for each in self._slow if each.bytes_per_s]
        return max(1, min(PIECE, *(int(rate * TICK) for rate in rates))) if rates else PIECE

    @property
    def loses_replies(self) -> bool:
        """Whether answers go nowhere."""
        return bool(self._ways["lose-replies"])

    @property
    def truncation(self) -> Slowness | None:
        """The least that may pass of answers, and what comes then."""
        limits = [each for each in self._slow if each.truncate_after is not None]
        return min(limits, key=lambda each: each.truncate_after or 0, default=None)


class Connection:
    """One client's, with its counterpart at the server."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self.lost = False
        self.answered = 0

    async def run(self) -> None:
        """Passes on both directions until both have ended, or one has broken."""
        client = self._writers[0]
        try:
            reader, server = await self._proxy.connect()
            self._writers.append(server)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(self._reader, server))
                both.create_task(self._answers(reader, client))
        except (OSError, ExceptionGroup):
            self.reset()
        except asyncio.CancelledError:
            self.reset()
            raise
        finally:
            for writer in self._writers:
                writer.close()

    def reset(self) -> None:
        """Resets both sides."""
        for writer in self._writers:
            if not writer.transport.is_closing():
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                writer.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(self._proxy.piece):
            await self._proxy.passage(len(data))
            writer.write(data)
            await writer.drain()
        _end(writer)

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(self._proxy.piece):
            await self._proxy.passage(len(data))
            if self._proxy.loses_replies:
                self.lost = True
                continue
            writer.write(self._cut_short(data))
            await writer.drain()
            self._end_if_cut_short()
        if not self.lost:
            _end(writer)

    def _cut_short(self, data: bytes) -> bytes:
        limit = self._proxy.truncation
        if limit is None or limit.truncate_after is None:
            return data
        kept = data[: max(0, limit.truncate_after - self.answered)]
        self.answered += len(data)
        return kept

    def _end_if_cut_short(self) -> None:
        limit = self._proxy.truncation
        if limit is None or limit.truncate_after is None or self.answered <= limit.truncate_after:
            return
        if limit.then == "reset":
            self.reset()
        for writer in self._writers:
            writer.close()


def _end(writer: asyncio.StreamWriter) -> None:
    if writer.can_write_eof() and not writer.transport.is_closing():
        writer.write_eof()
