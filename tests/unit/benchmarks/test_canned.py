"""The provider of the benchmarks, which has one answer."""

import asyncio
import json
from collections.abc import AsyncIterator

import openai
import pytest

from benchmarks.canned import HOST, REQUEST, Connection, Count, answer
from imagemill.domain.pricing import Usage
from imagemill.providers.answers import read_entries, read_usage
from imagemill.sniff import facts_of


@pytest.fixture(scope="module")
def body() -> bytes:
    return answer()


@pytest.fixture
async def count(body: bytes) -> AsyncIterator[tuple[int, Count]]:
    """The port that it listens on, and what it counts."""
    count = Count()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Connection(body, 0.0, count), HOST, 0) as server:
        yield server.sockets[0].getsockname()[1], count


def test_its_answer_is_what_the_service_takes_for_an_image(body: bytes) -> None:
    told = json.loads(body)
    [entry] = read_entries(told)
    assert entry.data
    assert 1_400_000 < len(entry.data) < 1_600_000
    facts = facts_of(entry.data)
    assert (facts.format, facts.width, facts.height) == ("png", 1024, 1024)
    assert read_usage(told) == Usage(text_in=18, image_out=196)


@pytest.mark.sockets
async def test_the_official_client_is_answered_again_and_again(count: tuple[int, Count]) -> None:
    port, counted = count
    async with openai.AsyncOpenAI(api_key="any", base_url=f"http://{HOST}:{port}/v1") as client:
        answers = [await client.images.generate(prompt="A vase", **REQUEST) for _ in range(3)]
    assert len({answer._request_id for answer in answers}) == 3
    assert counted.images == 3


@pytest.mark.sockets
async def test_requests_may_come_in_pieces_and_several_at_once(count: tuple[int, Count]) -> None:
    port, counted = count
    reader, writer = await asyncio.open_connection(HOST, port)
    post = b"POST /v1/images/generations HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    for piece in (post[:20], post[20:-1], post[-1:] + b"GET /count HTTP/1.1\r\n\r\n"):
        writer.write(piece)
        await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    assert await reader.readexactly(1) == b"1"
    assert counted.images == 1
    writer.close()
