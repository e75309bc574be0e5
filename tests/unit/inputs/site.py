"""A site on loopback that answers as it is told, and a name server that answers what it is told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any


class Site:
    """Answers by path; a path that has no answer is never answered.

    Attributes:
        answers: raw answers by path.
        asked: the paths that were asked for, in order.
        headers: the lines of the last request.
        port: where it listens.
    """

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.headers: list[str] = []
        self.port = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def answer(self, path: str, body: bytes = b"", *, status: int = 200, **headers: str) -> None:
        said = {"content-length": str(len(body)), "connection": "close"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in said.items() if value)]
        self.answers[path] = "\r\n".join([*lines, "", ""]).encode() + body

    def redirect(self, path: str, to: str) -> None:
        self.answer(path, status=302, location=to)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        self.headers = head.lower().splitlines()
        self.asked.append(path)
        if path in self.answers:
            writer.write(self.answers[path])
            await writer.drain()
        else:
            await reader.read()  # until the other side gives up
        writer.close()


@asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        await server.wait_closed()


class Names:
    """Stands for the resolver: each lookup gets the next answer, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *_: Any) -> list[Any]:
        if host.strip("[]").replace(":", ".").split(".")[-1].isdecimal():
            return [_info(host, port)]  # an address is its own answer
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [_info(address, port) for address in found]


def _info(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
