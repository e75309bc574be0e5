"""Polls: what is compared, who waits, and that counts never go backwards."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from api.coalescing import OF_ONE, Coalescer
from api.context import Context
from api.patience import patience
from api.polling import matches, now, poll, wished
from api.snapshots import Snapshot
from api.status import snapshot_of
from api.watching import Watches
from imagemill.domain.job import Counts, Hold, JobSummary, Progress, Report
from imagemill.domain.places import plan_index_key, report_key
from imagemill.ports import Memo
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import KEY

JOB = "job_1"
URL = f"/v1/jobs/{JOB}"


def summary(**more: Any) -> JobSummary:
    at = datetime.now(UTC) - timedelta(minutes=1)
    plain: dict[str, Any] = {"tenant": "t", "state": "running", "submitted_at": at, "started_at": at}
    return JobSummary(**plain | {"items": 1000, "chunks": 2, "cap_nano": 10**9} | more)


@pytest.fixture(autouse=True)
def running(engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary(open_chunks={0: 0})
    engine.chunks[JOB, 0] = Progress(counts=Counts(succeeded=10, images=10))


def going_on(engine: MemoryEngine) -> None:
    engine.chunks[JOB, 0] = Progress(counts=Counts(succeeded=20, images=20))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(0)


# --- what is compared ----------------------------------------------------------------------------


async def test_nothing_new_is_a_304_until_something_happens(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    first = await http.get(URL)
    assert first.headers["cache-control"] == "private, no-cache"
    tag = first.headers["etag"]

    again = await http.get(URL, headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["retry-after"] == first.headers["retry-after"]

    going_on(engine)
    changed = await http.get(URL, headers={"if-none-match": tag})
    assert (changed.status_code, changed.json()["items"]["succeeded"]) == (200, 20)
    assert changed.headers["etag"] != tag


async def test_the_rate_changes_and_the_tag_does_not(
    http: httpx2.AsyncClient, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await http.get(URL)
    monkeypatch.setattr("api.status.datetime", _Later)
    after = await http.get(URL)

    assert before.json()["seconds_left"] != after.json()["seconds_left"]
    assert before.headers["etag"] == after.headers["etag"]


class _Later(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> "_Later":
        later = datetime.now(UTC) + timedelta(hours=1)
        return cls.fromtimestamp(later.timestamp(), UTC)


@pytest.mark.parametrize(
    ("tags", "same"),
    [
        ('W/"a"', True),
        ('"a"', True),
        ("*", True),
        ('"x", W/"y" ,W/"a"', True),
        ('W/"b"', False),
        ('"x, W/a"', False),
        ("a", False),
        ("", False),
    ],
)
def test_tags_are_compared_weakly_and_as_a_list(tags: str, same: bool) -> None:
    assert matches(tags, 'W/"a"') is same


async def test_the_tag_outlives_the_engine_s_memory(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    ended = summary(state="completed", items=3, ended=Progress(counts=Counts(succeeded=3, images=3)))
    engine.summaries[JOB] = ended
    told = await http.get(URL)
    report = Report(job=JOB, tenant="t", summary=ended)
    await control.put(report_key("t", JOB), report.model_dump_json().encode())
    engine.forget(JOB)

    late = await http.get(URL, headers={"if-none-match": told.headers["etag"]})
    assert late.status_code == 304
    assert (await http.get(URL)).json() == told.json()
    assert "retry-after" not in told.headers


async def test_another_tenant_s_job_is_not_there(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary(tenant="other")
    answer = await http.get(URL, headers={"if-none-match": "*"})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_without_a_key_there_is_no_answer(http: httpx2.AsyncClient) -> None:
    answer = await http.get(URL, headers={"authorization": "Bearer im_wrong", "if-none-match": "*"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_lines_of_one_header_are_a_list_and_of_two_keys_the_first_counts(
    http: httpx2.AsyncClient,
) -> None:
    tag = (await http.get(URL)).headers["etag"]
    own, wrong = ("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {KEY}x")
    tags = [("if-none-match", '"other"'), ("if-none-match", tag)]

    async def asked(*headers: tuple[str, str]) -> int:
        http.headers.clear()
        return (await http.get(URL, headers=list(headers))).status_code

    assert await asked(own, *tags) == await asked(own, wrong, *tags) == 304
    assert await asked(wrong, own, *tags) == 401


async def test_a_dead_engine_is_said_to_be_away(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    engine.away = 1
    assert (await http.get(URL)).json()["type"] == "/problems/unavailable"
    assert (await http.get(URL)).status_code == 200


async def test_bad_rows_are_read_once(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    engine.summaries[JOB] = summary(invalid_rows=1)
    row = b'{"problems": [{"line": 2, "custom_id": "a", "detail": "bad"}]}'
    await control.put(plan_index_key("t", JOB), row)
    for _ in range(3):
        assert (await http.get(URL)).json()["invalid_rows"]["first"][0]["detail"] == "bad"
    assert [call for call in control.calls if call[0] == "get"] == [("get", plan_index_key("t", JOB))]


# --- when to ask again ---------------------------------------------------------------------------


def seen(state: JobSummary, *chunks: Progress) -> Snapshot:
    data = state.model_dump_json().encode()
    return Snapshot(
        JOB, data, state.model_dump(mode="json"), 1, [c.model_dump_json().encode() for c in chunks]
    )


def test_a_poll_is_worth_it_at_the_job_s_pace() -> None:
    ten = Progress(counts=Counts(succeeded=10))
    assert patience(seen(summary())) == 1
    assert patience(seen(summary(items=20), ten)) == 3
    assert patience(seen(summary(items=10**6), ten)) == 30
    assert patience(seen(summary(state="completed"))) is None


def test_a_job_that_stands_is_asked_less_often() -> None:
    now = datetime.now(UTC)
    until_told = Hold(code="budget", since=now)
    probing = Hold(code="provider_failing", since=now, next_probe=now + timedelta(seconds=40))
    assert patience(seen(summary(state="held", hold=until_told))) == 60
    assert patience(seen(summary(state="held"), Progress(hold=until_told))) == 60
    assert patience(seen(summary(state="held"), Progress(hold=probing))) in (38, 39, 40)
    assert patience(seen(summary(state="held"))) == 1  # its chunk has gone on


# --- who waits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=30", 30),
        ("respond-async, Wait = 5", 5),
        ("wait=9999999", 60),
        ('wait="7"; x=y', 7),
        ("wait=soon", 0),
        ("wait=-1", 0),
        ("await=4", 0),
        ("respond-async", 0),
        (None, 0),
    ],
)
def test_what_is_preferred(prefer: str | None, seconds: int) -> None:
    assert wished(prefer) == seconds


async def test_waiting_ends_with_the_change(
    http: httpx2.AsyncClient, engine: MemoryEngine, parts: Context
) -> None:
    tag = (await http.get(URL)).headers["etag"]
    asking = [
        asyncio.create_task(http.get(URL, headers={"if-none-match": tag, "prefer": "wait=30"})),
        asyncio.create_task(http.get(URL, headers={"prefer": "wait=999"})),
    ]
    await until(lambda: parts.watches.waiters.taken["t"] == 2)
    going_on(engine)
    answers = await asyncio.gather(*asking)

    assert [answer.json()["items"]["succeeded"] for answer in answers] == [20, 20]
    assert [answer.headers["preference-applied"] for answer in answers] == ["wait=30", "wait=60"]
    assert parts.watches.watched == parts.watches.waiters.taken.total() == 0


async def test_waiting_in_vain_is_a_304(http: httpx2.AsyncClient) -> None:
    tag = (await http.get(URL)).headers["etag"]
    answer = await http.get(URL, headers={"if-none-match": tag, "prefer": "wait=1"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (304, "wait=1")


async def test_many_who_wait_are_one_reader(
    http: httpx2.AsyncClient, engine: MemoryEngine, parts: Context
) -> None:
    asking = [asyncio.create_task(http.get(URL, headers={"prefer": "wait=60"})) for _ in range(200)]
    await until(lambda: parts.watches.waiters.taken["t"] == 200)
    before = parts.reads.reads
    going_on(engine)
    assert {answer.json()["items"]["succeeded"] for answer in await asyncio.gather(*asking)} == {20}
    assert parts.reads.reads - before <= 2


async def test_what_has_changed_or_ended_is_not_waited_for(
    http: httpx2.AsyncClient, engine: MemoryEngine, parts: Context
) -> None:
    wait = {"prefer": "wait=60"}
    assert (await http.get(URL, headers=wait | {"if-none-match": '"old"'})).status_code == 200
    engine.summaries[JOB] = summary(state="completed")
    ended = await http.get(URL, headers=wait)
    assert (await http.get(URL, headers=wait | {"if-none-match": ended.headers["etag"]})).status_code == 304
    assert parts.watches.watched == 0


async def test_without_a_seat_the_answer_comes_at_once(http: httpx2.AsyncClient, parts: Context) -> None:
    with parts.watches.waiters.take("t"):
        parts.watches.waiters._all_told = 1
        answer = await http.get(URL, headers={"prefer": "wait=60"})
    assert (answer.status_code, "preference-applied" in answer.headers) == (200, False)


async def test_who_hangs_up_is_not_waited_for(parts: Context) -> None:
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    asking = asyncio.create_task(poll(parts, "t", JOB, receive, tags=None, prefer="wait=60"))
    await until(lambda: parts.watches.watched == 1)
    gone.set()
    await asking
    assert parts.watches.watched == parts.watches.waiters.taken.total() == 0


async def test_a_process_that_stops_lets_everybody_go(http: httpx2.AsyncClient, parts: Context) -> None:
    asking = asyncio.create_task(http.get(URL, headers={"prefer": "wait=60"}))
    await until(lambda: parts.watches.watched == 1)
    parts.watches.close()
    assert (await asking).status_code == 200


async def test_an_engine_that_is_away_is_waited_for(
    http: httpx2.AsyncClient, engine: MemoryEngine, parts: Context
) -> None:
    asking = asyncio.create_task(http.get(URL, headers={"prefer": "wait=60"}))
    await until(lambda: parts.watches.watched == 1)
    engine.away = 1
    await until(lambda: not engine.away)
    going_on(engine)
    assert (await asking).json()["items"]["succeeded"] == 20


# --- never backwards -----------------------------------------------------------------------------


async def test_nobody_is_answered_by_a_read_that_had_begun() -> None:
    reads: Coalescer[str, int] = Coalescer()
    truth, begun, go = [0], asyncio.Event(), asyncio.Event()

    async def read() -> int:
        value = truth[0]
        begun.set()
        await go.wait()
        return value

    early = reads.read("x", read)
    await begun.wait()
    truth[0] = 1
    late = [reads.read("x", read) for _ in range(5)]
    await asyncio.sleep(0)
    go.set()

    assert await early == 0
    assert await asyncio.gather(*late) == [1] * 5
    assert reads.reads == 2


async def test_who_goes_takes_nobody_along_and_errors_reach_all() -> None:
    reads: Coalescer[str, int] = Coalescer()
    go = asyncio.Event()

    async def fail() -> int:
        await go.wait()
        raise LookupError

    waiting = [reads.read("x", fail) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    go.set()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in told] == [asyncio.CancelledError, LookupError, LookupError]


class Restless(MemoryEngine):
    """A job whose chunks go on, end and follow each other at every step of whoever reads it."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.job = summary(items=400, chunks=20, open_chunks={0: 0})
        self.progress = {0: Progress()}
        self.handed_over: set[int] = set()

    def step(self) -> None:
        for chunk in list(self.progress):
            progress = self.progress[chunk]
            done = progress.counts.succeeded
            if done < 20 and self.chance.random() < 0.7:
                counts = Counts(succeeded=done + self.chance.randint(1, 20 - done))
                self.progress[chunk] = progress.model_copy(update={"counts": counts})
            elif done == 20 and chunk not in self.handed_over and self.chance.random() < 0.5:
                self._hand_over(chunk)

    def _hand_over(self, chunk: int) -> None:
        self.handed_over.add(chunk)
        following = len(self.progress)
        lives = {each: 0 for each in self.job.open_chunks if each != chunk}
        if following < 20:
            self.progress[following] = Progress()
            lives[following] = 0
        ended = Progress.total([self.job.ended, self.progress[chunk]])
        self.job = self.job.model_copy(update={"open_chunks": lives, "ended": ended})

    async def _meanwhile(self) -> None:
        for _ in range(self.chance.randint(0, 3)):
            self.step()
            await asyncio.sleep(0)

    async def job_memo(self, job: str) -> Memo | None:
        await self._meanwhile()
        data = self.job.model_dump_json().encode()
        await self._meanwhile()
        return Memo(data, going_on=True)

    async def chunk_memo(self, job: str, chunk: int) -> Memo | None:
        await self._meanwhile()
        data = self.progress[chunk].model_dump_json().encode()
        await self._meanwhile()
        return Memo(data, going_on=chunk not in self.handed_over)


def hosts(parts: Context, engine: MemoryEngine) -> list[Callable[[], Awaitable[Snapshot]]]:
    made = [
        replace(parts, engine=engine, reads=Coalescer(lambda key: key[0]), watches=Watches())
        for _ in range(3)
    ]
    return [lambda host=host: now(host, "t", JOB) for host in made]  # type: ignore[misc]


@pytest.mark.parametrize("seed", range(30))
async def test_counts_never_go_backwards_on_any_host(
    parts: Context, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.coalescing.REST", 0.0)
    chance = random.Random(seed)
    engine = Restless(chance)
    most = [0]
    asked = [0]

    async def caller(host: Callable[[], Awaitable[Snapshot]]) -> None:
        while most[0] < 400 and asked[0] < 5000:
            asked[0] += 1
            for _ in range(chance.randint(0, 12)):  # not all at once
                await asyncio.sleep(0)
            before = most[0]  # whoever saw it, through whichever host
            found = (await host()).progress.counts.succeeded
            assert found >= before
            most[0] = max(most[0], found)

    await asyncio.gather(*(caller(host) for host in hosts(parts, engine) for _ in range(4)))
    assert most[0] == 400


async def test_a_chunk_that_ends_while_it_is_read_is_counted_once(
    parts: Context, engine: MemoryEngine
) -> None:
    async def ends(job: str, chunk: int) -> Memo | None:
        engine.summaries[job] = summary(ended=engine.chunks[job, chunk])
        return await MemoryEngine.chunk_memo(engine, job, chunk)

    engine.chunk_memo = ends  # type: ignore[method-assign]
    snapshot = await snapshot_of(parts, "t", JOB)
    assert snapshot.progress.counts.succeeded == 10
    assert (await snapshot_of(parts, "t", JOB)).progress.counts.succeeded == 10


async def test_a_tenant_that_floods_leaves_reads_to_others() -> None:
    reads: Coalescer[tuple[str, int], str] = Coalescer(lambda key: key[0])
    gate, begun = asyncio.Event(), list[tuple[str, int]]()

    def read(key: tuple[str, int]) -> "asyncio.Future[str]":
        async def how() -> str:
            begun.append(key)
            await gate.wait()
            return key[0]

        return reads.read(key, how)

    flood = [read(("greedy", n)) for n in range(50)]
    modest = read(("modest", 0))
    await until(lambda: ("modest", 0) in begun)
    assert [key[0] for key in begun].count("greedy") == OF_ONE
    gate.set()
    assert set(await asyncio.gather(*flood)) == {"greedy"}
    assert await modest == "modest"
