"""The stream of a job's changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api.app import make_app
from api.context import Context
from api.watching import Seats
from imagemill.domain.job import Counts, JobSummary, Progress
from tests.fakes.engine import MemoryEngine
from tests.unit.api.bodies import KEY

JOB = "job_1"
URL = f"/v1/jobs/{JOB}/events"
Event = dict[str, str]


def summary(succeeded: int, **more: Any) -> JobSummary:
    plain: dict[str, Any] = {"tenant": "t", "state": "running", "submitted_at": datetime.now(UTC), "items": 9}
    return JobSummary(**plain | {"cap_nano": 1, "ended": Progress(counts=Counts(succeeded=succeeded))} | more)


@pytest.fixture(autouse=True)
def running(engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary(0)


@pytest.fixture
def app(parts: Context) -> FastAPI:
    made = make_app()
    made.state.context = parts
    return made


class Listener:
    """A browser: what it was sent, line by line, until it hangs up."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.ended = asyncio.Event()
        self.over = False

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.over = not message.get("more_body")
        if self.over:
            self.ended.set()
        if message.get("body"):
            self.sent.put_nowait(message["body"])

    async def next(self) -> Event:
        """The next event, or comment."""
        async with asyncio.timeout(20):
            text = (await self.sent.get()).decode()
        assert text.endswith("\n\n")
        return dict(line.split(": ", 1) for line in text.strip().splitlines() if line)


@asynccontextmanager
async def listening(app: FastAPI, last: str | None = None, key: str = KEY) -> AsyncIterator[Listener]:
    listener = Listener()
    headers = [(b"authorization", f"Bearer {key}".encode())]
    if last:
        headers.append((b"last-event-id", last.encode()))
    scope = {
        "type": "http",
        "method": "GET",
        "path": URL,
        "raw_path": URL.encode(),
        "query_string": b"",
        "headers": headers,
        "root_path": "",
        "http_version": "1.1",
        "scheme": "http",
        "state": {},
    }
    stream = asyncio.create_task(app(scope, listener.receive, listener.send))
    try:
        yield listener
    finally:
        listener.gone.set()
        await stream


async def test_a_snapshot_then_changes_then_the_end(app: FastAPI, engine: MemoryEngine) -> None:
    async with listening(app) as browser:
        assert await browser.next() == {"retry": "3000"}
        first = await browser.next()
        assert (first["event"], first["data"].count('"succeeded":0')) == ("snapshot", 1)
        engine.summaries[JOB] = summary(3)
        change = await browser.next()
        assert (change["event"], change["data"].count('"succeeded":3')) == ("change", 1)
        assert change["id"] != first["id"]
        engine.summaries[JOB] = summary(9, state="completed")
        end = await browser.next()
        assert (end["event"], end["data"].count('"state":"completed"')) == ("end", 1)
    assert browser.over
    assert (browser.status, browser.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    assert browser.headers["cache-control"] == "no-store"


async def test_who_comes_back_gets_what_it_has_missed(app: FastAPI, engine: MemoryEngine) -> None:
    async with listening(app) as browser:
        await browser.next()
        seen = (await browser.next())["id"]
    async with listening(app, seen) as browser:
        await browser.next()
        engine.summaries[JOB] = summary(1)
        assert (await browser.next())["event"] == "change"  # no snapshot: nothing was missed
    async with listening(app, seen) as browser:
        await browser.next()
        assert (await browser.next())["event"] == "snapshot"


async def test_who_has_seen_the_end_is_told_not_to_come_back(app: FastAPI, engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary(9, state="completed")
    async with listening(app) as browser:
        await browser.next()
        end = await browser.next()
    async with listening(app, end["id"]) as browser:
        pass
    assert (end["event"], browser.status) == ("end", 204)


async def test_silence_is_filled_with_comments(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.KEEP_ALIVE", 0.01)
    async with listening(app) as browser:
        await browser.next()
        await browser.next()
        assert await browser.sent.get() == b": still here\n\n"
        assert await browser.sent.get() == b": still here\n\n"


async def test_a_key_that_was_revoked_is_told_no_more(
    app: FastAPI, parts: Context, engine: MemoryEngine
) -> None:
    async with listening(app) as browser:
        await browser.next()
        await browser.next()
        parts.keys._own = None  # as if it had been in a file and was taken out
        engine.summaries[JOB] = summary(3)
        async with asyncio.timeout(20):
            await browser.ended.wait()
        assert browser.sent.empty()


async def test_who_hangs_up_leaves_nothing_behind(app: FastAPI, parts: Context) -> None:
    async with listening(app) as browser:
        await browser.next()
        await browser.next()
        assert parts.watches.streams.taken["t"] == 1
    assert parts.watches.streams.taken.total() == parts.watches.watched == 0


async def test_a_process_that_stops_ends_its_streams(app: FastAPI, parts: Context) -> None:
    async with listening(app) as browser:
        await browser.next()
        await browser.next()
        parts.watches.close()
        async with asyncio.timeout(20):
            while not browser.over:  # noqa: ASYNC110 - there is nothing to wait on
                await asyncio.sleep(0)


async def test_streams_are_bounded(app: FastAPI, parts: Context, http: httpx2.AsyncClient) -> None:
    parts.watches.streams = Seats(5, 1)
    async with listening(app) as browser:
        await browser.next()
        refused = await http.get(URL)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-streams")
    assert refused.headers["retry-after"] == "2"


def test_seats_are_counted_by_tenant_and_all_told() -> None:
    seats = Seats(3, 2)
    with seats.take("a") as one, seats.take("a") as two, seats.take("a") as three:
        assert (one, two, three) == (True, True, False)
        with seats.take("b") as four, seats.take("c") as five:
            assert (four, five) == (True, False)
    assert not seats.taken


async def test_nobody_else_may_listen(app: FastAPI, engine: MemoryEngine, http: httpx2.AsyncClient) -> None:
    async with listening(app, key="im_wrong") as browser:
        pass
    assert browser.status == 401
    engine.summaries[JOB] = summary(0, tenant="other")
    assert (await http.get(URL)).status_code == 404
