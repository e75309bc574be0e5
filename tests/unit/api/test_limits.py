"""What is too much or too slow, at the level of ASGI and over a real connection."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from api import limits, server
from api.app import make_app
from api.context import Context
from api.limits import JSON_BYTES, PART_BYTES
from api.server import config_of
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import KEY
from tests.unit.api.wire import Conversation

AUTH = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("method", "path", "length", "status"),
    [
        ("POST", "/v1/jobs", JSON_BYTES + 1, 413),
        ("POST", "/v1/jobs", 10**30, 413),
        ("PATCH", "/v1/jobs/job_1", JSON_BYTES + 1, 413),
        ("GET", "/v1/jobs/job_1", JSON_BYTES + 1, 413),
        ("POST", "/v1/uploads", JSON_BYTES + 1, 413),
        ("POST", "/v1/files/", JSON_BYTES + 1, 413),
        ("PUT", "/v1/uploads/upload_1/parts/1", PART_BYTES + 1, 413),
        ("POST", "/v1/files?filename=a", 5 * 1024 * MIB + 64 * 1024 + 1, 413),
        ("POST", "/nowhere", JSON_BYTES + 1, 413),
    ],
)
async def test_what_is_announced_as_too_large_is_not_read(
    parts: Context, method: str, path: str, length: int, status: int
) -> None:
    talk = Conversation(method, path, AUTH | {"content-length": str(length)})
    await talk.run(make_app(parts))

    assert (talk.status, talk.problem["type"]) == (status, "/problems/too-large")
    assert talk.headers["connection"] == "close"
    assert talk.closed
    assert not talk.read_before_the_answer


async def test_what_turns_out_to_be_too_large_is_cut_off(
    parts: Context, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JSON_BYTES", 1000)
    talk = Conversation("POST", "/v1/jobs", AUTH)
    talk.says(b" " * 1000, more=True)
    talk.says(b" ", more=True)
    await talk.run(make_app(parts))

    assert (talk.status, talk.problem["type"]) == (413, "/problems/too-large")
    assert "1,000 bytes; send a manifest" in talk.problem["detail"]
    assert control.calls == []


@pytest.mark.parametrize("said", [b"", b'{"items": ['], ids=["nothing", "a part"])
async def test_a_silent_caller_is_not_waited_for(
    parts: Context, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(limits, "GAP_SECONDS", 0.01)
    talk = Conversation("POST", "/v1/jobs", AUTH)
    if said:
        talk.says(said, more=True)
    await talk.run(make_app(parts))

    assert (talk.status, talk.problem["type"]) == (408, "/problems/too-slow")


async def test_a_body_that_drips_is_given_up_although_it_is_never_silent(
    parts: Context, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GAP_SECONDS", 0.05)
    monkeypatch.setattr(limits, "SLOWEST", 1e9)
    talk = Conversation("POST", "/v1/files?filename=a.csv", AUTH)

    async def drip() -> None:
        while not talk.status:
            talk.says(b"x", more=True)
            await asyncio.sleep(0.001)

    await asyncio.gather(drip(), talk.run(make_app(parts)))
    assert talk.status == 408
    assert control.objects == {}


async def test_a_caller_is_not_blamed_for_a_slow_store(
    parts: Context, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GAP_SECONDS", 0.05)
    monkeypatch.setattr("api.receiving.BUFFER_BYTES", 10)
    monkeypatch.setattr("tests.fakes.store.LEAST_PART", 10)
    real = control.put_part

    async def slow(*arguments: object) -> object:
        await asyncio.sleep(0.1)
        return await real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(control, "put_part", slow)
    talk = Conversation("POST", "/v1/files?filename=a.csv", AUTH)
    for more in (True, True, True, False):
        talk.says(b"0123456789ab", more=more)
    await talk.run(make_app(parts))

    assert talk.status == 201


@pytest.mark.parametrize(
    ("path", "headers", "status", "kind"),
    [
        ("/v1/jobs/job_1", {"x-long": "x" * 32 * 1024}, 431, "headers-too-large"),
        ("/v1/jobs/job_1", {f"x-{n}": "x" * 100 for n in range(400)}, 431, "headers-too-large"),
        (f"/v1/jobs/job_1?after={'x' * 8192}", {}, 414, "query-too-long"),
    ],
)
async def test_a_head_that_is_too_large_is_refused(
    parts: Context, path: str, headers: dict[str, str], status: int, kind: str
) -> None:
    talk = Conversation("GET", path, AUTH | {"content-length": "0"} | headers)
    await talk.run(make_app(parts))

    assert (talk.status, talk.problem["type"]) == (status, f"/problems/{kind}")


# --- over a real connection ----------------------------------------------------------------------


@pytest.fixture
async def port(parts: Context) -> AsyncIterator[int]:
    """The application behind the server that it runs on, as `api/__main__.py` sets it up."""
    listening = socket.create_server(("127.0.0.1", 0))
    serves = uvicorn.Server(config_of(make_app(parts), "127.0.0.1", 0))
    serving = asyncio.create_task(serves.serve(sockets=[listening]))
    while not serves.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    yield listening.getsockname()[1]
    serves.should_exit = True
    await serving


def head(method: str, target: str, *more: str) -> bytes:
    said = [f"{method} {target} HTTP/1.1", "Host: api", f"Authorization: Bearer {KEY}", *more]
    return "\r\n".join([*said, "", ""]).encode()


@pytest.mark.sockets
@pytest.mark.parametrize("sent", [0, 8 * MIB, 33 * MIB], ids=["nothing", "a part", "all of it"])
async def test_the_answer_arrives_whatever_is_sent_before_it_is_read(port: int, sent: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head("POST", "/v1/jobs", f"Content-Length: {33 * MIB}"))
    for _ in range(sent // MIB):
        writer.write(b" " * MIB)
        await writer.drain()
    if sent < 33 * MIB:
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length: ")[2].split()[0])
        body = await reader.readexactly(length)
    else:
        answer, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert b"/problems/too-large" in body


@pytest.mark.sockets
async def test_a_caller_that_asks_first_is_told_no_at_once_and_never_to_go_on(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head("POST", "/v1/jobs", f"Content-Length: {33 * MIB}", "Expect: 100-continue"))
    answer = await reader.read()  # to the end: the connection was closed
    writer.close()

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.sockets
async def test_a_caller_that_goes_on_sending_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINGER_BYTES", MIB)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head("POST", "/v1/jobs", f"Content-Length: {10**15}"))

    async def send_on() -> None:
        while True:
            writer.write(b" " * MIB)
            await writer.drain()

    with pytest.raises(ConnectionError):
        await send_on()
    writer.close()
    assert reader


@pytest.mark.sockets
async def test_a_connection_whose_body_was_read_is_kept(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        body = b"data"
        writer.write(head("POST", "/v1/files?filename=a.csv", f"Content-Length: {len(body)}") + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert b"connection: close" not in answer.lower()
        await reader.readexactly(int(answer.lower().partition(b"content-length: ")[2].split()[0]))
    writer.close()


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("said", "before"), [(b"", 0), (b"GET /healthz HT", 0), (b"GET /healthz HTTP/1.1\r\nX-", 0), (b"GET ", 1)]
)
async def test_a_head_that_does_not_come_to_its_end_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch, said: bytes, before: int
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 3600 if before else 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(before):
        writer.write(head("GET", "/healthz"))
        await reader.readuntil(b'"ok"}')
        monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)
    writer.write(said)
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"too slowly." in answer


@pytest.mark.sockets
async def test_a_request_that_takes_its_time_is_not_taken_for_a_slow_head(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head("POST", "/v1/files?filename=a.csv", "Content-Length: 2") + b"a")
    silent, other = await asyncio.open_connection("127.0.0.1", port)
    assert (await silent.read()).startswith(b"HTTP/1.1 400 ")  # so long, a head was waited for
    other.close()
    writer.write(b"b")
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()

    assert answer.startswith(b"HTTP/1.1 201 ")


@pytest.mark.sockets
async def test_a_head_without_an_end_is_cut_off(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: api\r\n")
    for number in range(100):
        writer.write(b"x-%d: %s\r\n" % (number, b"x" * 1000))
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.sockets
async def test_the_server_does_not_say_what_it_is(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head("GET", "/healthz", "Connection: close"))
    answer = await reader.read()
    writer.close()

    assert b"server:" not in answer.lower()
