"""In which order a submission is written down, and what is left of one that fails on the way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from api.accounts import SEEN_SECONDS, change_caps, open_account
from api.app import make_app
from api.context import Context
from imagemill.caps import set_caps
from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.tenant import Caps
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY, KEY

HOOKED = BODY | {"webhook": {"url": "https://hooks.example.com/in"}}
KEYED = {"idempotency-key": "k"}
FIRST = ("request.json", "webhook.json", "tell_account")
"""What must be there before the record is, by which a retry finds the job and may start it."""


class Diary:
    """What reached the store and the engine: as it began, and as it ended.

    Attributes:
        held: what waits, once it has begun, until its event is set.
    """

    def __init__(self, parts: Context) -> None:
        self.lines: list[str] = []
        self.held: dict[str, asyncio.Event] = {}
        self._news = asyncio.Event()
        writes = ((parts.control, ("put", "put_new")), (parts.engine, ("start_job", "tell_account")))
        for port, names in writes:
            for name in names:
                setattr(port, name, self._noted(name, getattr(port, name)))

    def _noted(self, name: str, call: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def noted(about: Any, *given: Any, **named: Any) -> None:
            what = _place(about) if isinstance(about, str) else name
            self._note(f"{what} begins")
            if what in self.held:
                await self.held[what].wait()
            await call(about, *given, **named)
            self._note(f"{what} ends")

        return noted

    def _note(self, line: str) -> None:
        self.lines.append(line)
        self._news.set()

    async def until(self, *lines: str) -> None:
        async with asyncio.timeout(10):
            while not set(lines) <= set(self.lines):
                self._news.clear()
                await self._news.wait()


def _place(key: str) -> str:
    return "record" if key.startswith("idempotency/") else key.rpartition("/")[2]


@pytest.mark.parametrize("headers", [KEYED, {}])
@pytest.mark.parametrize("late", FIRST)
async def test_nothing_is_recorded_or_started_before_all_of_it_is_there(
    parts: Context, http: httpx2.AsyncClient, headers: dict[str, str], late: str
) -> None:
    diary = Diary(parts)
    diary.held[late] = asyncio.Event()
    sent = asyncio.create_task(http.post("/v1/jobs", json=HOOKED, headers=headers))
    await diary.until(f"{late} begins", *(f"{each} ends" for each in FIRST if each != late))
    for _ in range(50):  # all that does not wait for it has its turn
        await asyncio.sleep(0)
    assert not {"record begins", "start_job begins"} & set(diary.lines)

    diary.held[late].set()
    assert (await sent).status_code == 202
    assert diary.lines[-4:] == ["record begins", "record ends", "start_job begins", "start_job ends"]


@pytest.mark.parametrize("headers", [KEYED, {}])
async def test_nobody_is_answered_before_the_job_is_started(
    parts: Context, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    diary = Diary(parts)
    diary.held["start_job"] = asyncio.Event()
    sent = asyncio.create_task(http.post("/v1/jobs", json=BODY, headers=headers))
    await diary.until("start_job begins")
    for _ in range(50):
        await asyncio.sleep(0)
    assert not sent.done()

    diary.held["start_job"].set()
    assert (await sent).status_code == 202


async def test_the_answer_to_a_fresh_job_is_what_its_status_says(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    body = BODY | {"name": "spring", "metadata": {"shop": "a"}, "priority": 1}
    answer = (await http.post("/v1/jobs", json=body)).json()

    assert answer == (await http.get(f"/v1/jobs/{answer['id']}")).json()
    assert (answer["state"], answer["items"]["total"], answer["name"]) == ("queued", 1, "spring")


@pytest.mark.parametrize("headers", [KEYED, {}])
async def test_a_tenant_without_a_cap_leaves_nothing(parts: Context, headers: dict[str, str]) -> None:
    bare = replace(parts, caps=Caps())
    transport = httpx2.ASGITransport(app=make_app(bare))
    sent = {"authorization": f"Bearer {KEY}"} | headers
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as http:
        answer = await http.post("/v1/jobs", json=HOOKED, headers=sent)

    assert answer.status_code == 403
    assert isinstance(parts.control, MemoryStore)
    assert isinstance(parts.engine, MemoryEngine)
    assert (parts.control.written, parts.engine.starts) == ([], [])


async def test_an_engine_that_is_away_leaves_nothing(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    engine.away = 1
    assert (await http.post("/v1/jobs", json=HOOKED, headers=KEYED)).status_code == 503
    assert (control.written, engine.starts) == ([], [])

    assert (await http.post("/v1/jobs", json=HOOKED, headers=KEYED)).status_code == 202


# --- what is known of the account ----------------------------------------------------------------


class Looking(MemoryEngine):
    """An engine that counts how often it is asked for the caps of an account."""

    looks = 0

    async def account_caps(self, tenant: str, schedule: str | None = None) -> Caps | None:
        self.looks += 1
        return await super().account_caps(tenant, schedule)


@pytest.fixture
def looking(parts: Context) -> tuple[Context, Looking]:
    engine = Looking()
    return replace(parts, engine=engine), engine


async def test_an_account_that_was_looked_at_a_moment_ago_is_not_looked_at_again(
    looking: tuple[Context, Looking],
) -> None:
    parts, engine = looking
    for _ in range(5):
        await open_account(parts, "t")
    assert engine.looks == 2  # it did not run the first time
    assert len(engine.told) == 1

    caps, at = parts.seen["t"]
    parts.seen["t"] = caps, at - SEEN_SECONDS
    del engine.caps["t"]  # as if an operator had ended it
    await open_account(parts, "t")
    assert (engine.looks, len(engine.told)) == (3, 2)


async def test_caps_that_were_lowered_are_told_whatever_was_seen_a_moment_ago(
    looking: tuple[Context, Looking],
) -> None:
    parts, engine = looking
    for _ in range(2):
        await open_account(parts, "t")
    low = Caps(day_nano=10**9)
    await set_caps(parts.control, "t", low)  # by another host, which has not told the account yet
    await open_account(parts, "t")

    assert engine.caps["t"] == low


async def test_what_this_process_tells_is_looked_at_anew(looking: tuple[Context, Looking]) -> None:
    parts, engine = looking
    for _ in range(2):
        await open_account(parts, "t")
    await change_caps(parts, "t", Caps(day_nano=10**9))
    assert "t" not in parts.seen

    engine.away = 1
    with pytest.raises(EngineUnavailable):
        await open_account(parts, "t")
