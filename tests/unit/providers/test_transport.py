"""Did the request leave? Real sockets under the transport of production, and transports of other habits."""

import asyncio
import socket
import ssl
import struct
from pathlib import Path

import httpx2
import pytest

from imagemill.domain.errors import CallError, NotSent, OutcomeUnknown
from imagemill.providers.client import NEVER_SENT, http_client
from imagemill.providers.openai_images import OpenAIImages
from tests.fakes.signing import self_signed
from tests.unit.providers.wire import REQUEST, SECRET, Speak, at, listening, pool, read_request


async def failure(provider: OpenAIImages, deadline: float = 5) -> CallError:
    with pytest.raises(CallError) as caught:
        await provider.generate(REQUEST, deadline=deadline)
    assert SECRET not in str(caught.value)
    return caught.value


async def _reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer: socket.socket = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _truncate(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"da')
    await writer.drain()


async def _truncated_refusal(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 401 No\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{")
    await writer.drain()


async def _no_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello\r\n\r\n")
    await writer.drain()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n")
    while not reader.at_eof():  # until the client hangs up
        writer.write(b" ")
        await writer.drain()
        try:
            async with asyncio.timeout(0.02):
                await reader.read()
        except TimeoutError:
            continue


@pytest.mark.sockets
async def test_a_refused_connection_sent_nothing(production: httpx2.AsyncClient) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()

    raised = await failure(at(f"http://127.0.0.1:{port}/v1", production))
    assert (type(raised), raised.code) == (NotSent, "connect_failed")


@pytest.mark.sockets
async def test_a_name_that_is_not_known_sent_nothing(production: httpx2.AsyncClient) -> None:
    assert isinstance(await failure(at("http://nowhere.invalid/v1", production)), NotSent)


@pytest.mark.sockets
async def test_a_tls_handshake_that_fails_sent_nothing(production: httpx2.AsyncClient) -> None:
    async with await asyncio.start_server(_hang_up, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        assert isinstance(await failure(at(f"https://127.0.0.1:{port}/v1", production)), NotSent)


@pytest.mark.sockets
async def test_a_certificate_that_nobody_knows_sent_nothing(
    production: httpx2.AsyncClient, certificate: ssl.SSLContext
) -> None:
    came: list[bytes] = []

    async def note(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        came.append(await reader.read())

    async with listening(production, note, tls=certificate, read=False) as provider:
        assert isinstance(await failure(provider), NotSent)
    assert not any(came)


@pytest.mark.sockets
async def test_no_free_connection_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagemill.providers.openai_images.TIMEOUT", httpx2.Timeout(None, pool=0.05))
    release, calls = asyncio.Event(), 0

    async def wait(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await release.wait()
        writer.close()

    async with http_client(-3) as one, listening(one, wait) as provider:  # one connection in all
        under_way = [asyncio.create_task(failure(provider)) for _ in range(2)]
        done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        release.set()
        raised = await asyncio.gather(*under_way)
    assert [type(task.result()) for task in done] == [NotSent]
    assert {type(error) for error in raised} == {NotSent, OutcomeUnknown}
    assert calls == 1


@pytest.mark.sockets
@pytest.mark.parametrize("speak", [_reset, _hang_up, _truncate, _truncated_refusal, _no_http])
async def test_a_connection_lost_after_sending_leaves_the_outcome_unknown(
    production: httpx2.AsyncClient, speak: Speak
) -> None:
    async with listening(production, speak) as provider:
        raised = await failure(provider)
    assert (type(raised), raised.code) == (OutcomeUnknown, "connection_lost")


@pytest.mark.sockets
async def test_a_connection_lost_while_sending_leaves_the_outcome_unknown(
    production: httpx2.AsyncClient,
) -> None:
    async with listening(production, _reset, read=False) as provider:
        long = REQUEST.model_copy(update={"prompt": "x" * 20_000_000})
        with pytest.raises(OutcomeUnknown):
            await provider.generate(long, deadline=5)


@pytest.mark.sockets
async def test_a_reused_connection_that_has_died_leaves_the_outcome_unknown(
    production: httpx2.AsyncClient,
) -> None:
    """The first call leaves its connection open; the server ends it only when the next request has come."""

    async def refuse_then_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await read_request(reader)
        await _reset(reader, writer)

    async with listening(production, refuse_then_reset) as provider:
        assert (await failure(provider)).code == "invalid_request"
        assert isinstance(await failure(provider), OutcomeUnknown)


@pytest.mark.sockets
async def test_the_deadline_bounds_a_server_that_drips(production: httpx2.AsyncClient) -> None:
    async with listening(production, _drip) as provider:
        raised = await failure(provider, deadline=0.2)
    assert (type(raised), raised.code) == (OutcomeUnknown, "deadline_passed")


class Raising(httpx2.AsyncBaseTransport):
    """Takes the whole request, then raises; the transport over aiohttp says ConnectTimeout for any loss."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error
        self.sent = b""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent = await request.aread()
        raise self._error("after sending")


@pytest.mark.parametrize("error", [*NEVER_SENT, httpx2.ReadError, ssl.SSLError, ValueError, KeyError])
async def test_of_another_transport_no_error_proves_that_nothing_left(error: type[Exception]) -> None:
    transport = Raising(error)
    provider = OpenAIImages(pool(), httpx2.AsyncClient(transport=transport))

    assert isinstance(await failure(provider), OutcomeUnknown)
    assert SECRET.encode() in transport.sent


async def test_an_earlier_failure_to_connect_proves_nothing() -> None:
    """A transport that tries again by itself raises the last error, with the first one under it."""

    class Retrying(Raising):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            try:
                raise httpx2.ConnectError("the first address")
            except httpx2.ConnectError:
                return await super().handle_async_request(request)

    http = httpx2.AsyncClient(transport=Retrying(httpx2.ReadError))
    provider = OpenAIImages(pool(), http, never_sent=NEVER_SENT)

    assert isinstance(await failure(provider), OutcomeUnknown)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    chain, key = self_signed("127.0.0.1")
    path: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(key + chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
