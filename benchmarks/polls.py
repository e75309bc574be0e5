"""The cheapest client that there is: raw sockets that send the same bytes and count what comes back.

``python -m benchmarks.polls`` is one process of it; several of them share one target.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"


@dataclass
class Load:
    """What one process sends: each connection asks for its paths in turn, for so many seconds."""

    url: str
    paths: list[str]
    headers: dict[str, str]
    connections: int
    seconds: float
    tags: dict[str, str] = field(default_factory=dict)
    """``If-None-Match`` by path."""


async def run(load: Load) -> Counter[int]:
    """Answers by status."""
    statuses: Counter[int] = Counter()
    until = time.monotonic() + load.seconds
    await asyncio.gather(*(_ask(load, number, until, statuses) for number in range(load.connections)))
    return statuses


async def _ask(load: Load, number: int, until: float, statuses: Counter[int]) -> None:
    address = urlsplit(load.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    requests = [_request(load, path) for path in load.paths]
    turn = number
    while time.monotonic() < until:
        writer.write(requests[turn % len(requests)])
        turn += 1
        statuses[await _status(reader)] += 1
    writer.close()


def _request(load: Load, path: str) -> bytes:
    headers = {"Host": "benchmark"} | load.headers
    if path in load.tags:
        headers["If-None-Match"] = load.tags[path]
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _status(reader: asyncio.StreamReader) -> int:
    """Read one answer whole; its status."""
    head = await reader.readuntil(HEAD_END)
    start = head.lower().find(b"content-length:")
    if start >= 0:
        length = int(head[start + 15 : head.index(b"\r\n", start)])
        if length:
            await reader.readexactly(length)
    return int(head[9:12])


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(run(Load(**json.load(sys.stdin))))))
