"""A store whose answer is lost: the work is done, and nobody says so."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from imagemill.claims import claim
from imagemill.settings import BucketSettings
from imagemill.storage.s3 import S3Store


class Forgetful:
    """Keeps the objects that it is given, and swallows its first answer."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.splitlines()[0].split()
        headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        if headers.get("expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(method)
        answer = self.answer(method, path, body)
        if len(self.requests) == 1:
            await reader.read()  # until the client gives up
        else:
            writer.write(answer)
        writer.close()

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        if method == "GET":
            return self.says("200 OK", self.objects[path])
        if path in self.objects:
            return self.says("412 Precondition Failed", b"<Error><Code>PreconditionFailed</Code></Error>")
        self.objects[path] = body
        return self.says("200 OK")

    def says(self, status: str, body: bytes = b"") -> bytes:
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        return head.encode() + body


@pytest.fixture
async def forgetful() -> Forgetful:
    return Forgetful()


@pytest.fixture
async def store(forgetful: Forgetful, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Store]:
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")  # bodies as they are
    server = await asyncio.start_server(forgetful.serve, "127.0.0.1", 0)
    settings = BucketSettings(
        bucket="control",
        endpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        access_key=SecretStr("key"),
        secret_key=SecretStr("secret"),
        silence_seconds=0.5,
    )
    with ThreadPoolExecutor(2) as threads:
        yield S3Store.connect(settings, threads)
    server.close()


async def test_a_lost_answer_holds_up_no_longer_than_the_silence_that_is_allowed(
    store: S3Store, forgetful: Forgetful
) -> None:
    began = time.monotonic()
    assert await claim(store, "first", b"mine")
    assert time.monotonic() - began < 10
    assert forgetful.requests == ["PUT", "PUT", "GET"]
