"""``python -m benchmarks.canned``: an image API that has one answer, and sends it as cheaply as it can.

Where the machine is to be shared by the service and its peers alone, the provider must cost next to nothing:
one PNG of about 1.5 MB, encoded once, goes from memory to every request on ``/v1/images/generations``, with
a count of tokens as the original provider sends it. It looks at nothing but where a request ends.
``GET /count`` tells how many images were asked for.
"""

import argparse
import asyncio
import base64
import io
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx2
import uvloop
from PIL import Image

HOST = "127.0.0.1"
SIDE = 1024
MODEL = "gpt-image-2.5-flare"
REQUEST: dict[str, Any] = {"model": MODEL, "size": f"{SIDE}x{SIDE}", "quality": "low", "output_format": "png"}
"""What its answer is an answer to."""
USAGE = {
    "input_tokens": 18,
    "input_tokens_details": {"text_tokens": 18, "image_tokens": 0},
    "output_tokens": 196,
    "output_tokens_details": {"text_tokens": 0, "image_tokens": 196},
    "total_tokens": 214,
}
HEAD_END = b"\r\n\r\n"
_COARSE = bytes(value & 0xF0 for value in range(256))


def picture() -> bytes:
    """A PNG of as many bytes as a picture from a model: noise of four bits a channel, and some plain sky."""
    size = SIDE * SIDE * 3
    pixels = bytes(size // 8) + random.Random(8).randbytes(size * 7 // 8).translate(_COARSE)
    file = io.BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def answer() -> bytes:
    """The body of the answer."""
    told = {
        "created": 1_790_000_000,
        "background": "opaque",
        "data": [{"b64_json": base64.b64encode(picture()).decode()}],
        "output_format": "png",
        "quality": "low",
        "size": f"{SIDE}x{SIDE}",
        "usage": USAGE,
    }
    return json.dumps(told).encode()


class Count:
    """The images that were asked for."""

    def __init__(self) -> None:
        self.images = 0


class Connection(asyncio.Protocol):
    """One connection: requests are answered in turn."""

    def __init__(self, body: bytes, seconds: float, count: Count) -> None:
        self._body = body
        self._seconds = seconds
        self._count = count
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := _end_of_request(self._buffer)) is not None:
            line = bytes(self._buffer[: self._buffer.index(b"\r\n")])
            del self._buffer[:end]
            if line.startswith(b"POST"):
                self._count.images += 1
                self._answer_later(self._count.images)
            else:
                self._send(str(self._count.images).encode())

    def _answer_later(self, number: int) -> None:
        if self._seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(self._seconds, self._send, self._body, number)
        else:
            self._send(self._body, number)

    def _send(self, body: bytes, number: int = 0) -> None:
        if self._transport is not None:
            self._transport.writelines([_head(len(body), number), body])


def _head(length: int, number: int) -> bytes:
    return (
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        f"content-length: {length}\r\nx-request-id: req_canned_{number}\r\n\r\n"
    ).encode()


def _end_of_request(buffer: bytearray) -> int | None:
    """Where the first request ends; None: not all of it is here."""
    head_end = buffer.find(HEAD_END)
    if head_end < 0:
        return None
    head = bytes(buffer[:head_end]).lower()
    start = head.find(b"content-length:")
    length = int(head[start + 15 :].partition(b"\r\n")[0]) if start >= 0 else 0
    end = head_end + len(HEAD_END) + length
    return end if len(buffer) >= end else None


@dataclass(frozen=True, slots=True)
class Canned:
    """A canned provider that runs."""

    url: str
    pid: int

    async def images(self) -> int:
        """How many were asked for since it started."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            return int((await http.get(self.url.removesuffix("/v1") + "/count")).text)


@asynccontextmanager
async def canned(seconds: float = 0.0) -> AsyncIterator[Canned]:
    """A process of it, whose answers take so long."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.canned", "--seconds", str(seconds)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(60):
            port = int(await process.stdout.readline())
        yield Canned(f"http://{HOST}:{port}/v1", process.pid)
    finally:
        process.terminate()
        await process.wait()


async def serve(port: int, seconds: float) -> None:
    """Serve until the process is ended; the port is printed once it listens."""
    body, count = answer(), Count()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(body, seconds, count), HOST, port
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canned")
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--seconds", type=float, default=0.0, help="what each answer takes (default: 0)")
    told = parser.parse_args()
    uvloop.run(serve(told.port, told.seconds))


if __name__ == "__main__":
    main()
