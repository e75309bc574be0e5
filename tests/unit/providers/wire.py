"""Providers whose answers are made up: over a transport that is told what to do, and over real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from pydantic import SecretStr

from imagemill.domain.pools import Pool
from imagemill.domain.request import ImageRequest
from imagemill.providers.client import NEVER_SENT
from imagemill.providers.openai_images import OpenAIImages

KEY = "sk-a-very-private-key"
SECRET = "a very private prompt"
REQUEST = ImageRequest(prompt=SECRET, model="gpt-image-2", size="1024x1024", quality="low")

Handler = Callable[[httpx2.Request], httpx2.Response]
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def pool(**said: Any) -> Pool:
    """An account; by default it speaks as the original provider."""
    return Pool.model_validate(
        {"name": "a-pool", "base_url": "http://api/v1", "api_key": SecretStr(KEY)} | said
    )


def provider(handler: Handler, **said: Any) -> OpenAIImages:
    """A provider that answers without a socket."""
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler), follow_redirects=False)
    return OpenAIImages(pool(**said), http, fetch_waits=(0, 0))


@asynccontextmanager
async def listening(
    http: httpx2.AsyncClient,
    speak: Speak,
    *,
    tls: ssl.SSLContext | None = None,
    read: bool = True,
    **said: Any,
) -> AsyncIterator[OpenAIImages]:
    """A provider on a real socket that reads a request and then does as it is told, and a client of it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if read:
                await read_request(reader)
            await speak(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        yield at(f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1", http, **said)


def at(base_url: str, http: httpx2.AsyncClient, **said: Any) -> OpenAIImages:
    """A provider as in production, at any address."""
    return OpenAIImages(pool(base_url=base_url, **said), http, never_sent=NEVER_SENT, fetch_waits=(0, 0))


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """A whole request: its head, of which the body's length is taken."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


def says(answer: httpx2.Response) -> Speak:
    """Answer with that, and hang up."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {answer.status_code} Said"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode() + answer.content)
        await writer.drain()

    return speak
