"""What the file of tenants decides about submissions and caps."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api import accounts
from api.accounts import change_caps, follow_file, follow_once, open_account
from api.app import make_app
from api.context import Context
from api.problems import Problem
from imagemill.caps import caps_of, set_caps
from imagemill.domain.messages import AccountStart
from imagemill.domain.places import caps_key
from imagemill.domain.pools import Alias, Pool, Pools
from imagemill.domain.tenant import AccountAsk, Caps
from imagemill.pool_problems import pool_problems
from imagemill.tenants import Tenants
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import ADMIN, BODY, ITEM, KEY

OPERATOR = {"authorization": f"Bearer {ADMIN}"}
DOLLAR = 10**9


def day(usd: int) -> Caps:
    return Caps(day_nano=usd * DOLLAR)


class File:
    """The file of tenants."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.say("")

    def say(self, text: str) -> None:
        self.path.write_text(text)

    def caps(self, **usd: int) -> None:
        """Caps by day; the tenant is the name."""
        self.say("".join(f'[tenants.{name}.caps]\nday_usd = "{cap}"\n' for name, cap in usd.items()))


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "tenants.toml")


@pytest.fixture
def parts(parts: Context, file: File) -> Context:
    heavy = {"big": 9, "small": 1}
    pools = Pools([Pool(name=name, base_url="", api_key="", weight=heavy[name]) for name in heavy])
    return replace(parts, tenants=Tenants(file.path), pools=pools)


@pytest.fixture
async def http(parts: Context) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}"}
    transport = httpx2.ASGITransport(app=make_app(parts))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        yield client


def look(parts: Context, file: File, text: str) -> None:
    """The file says something else, and it was looked at."""
    file.say(text)
    parts.tenants.look()


# --- submissions ---------------------------------------------------------------------------------


async def test_the_weight_of_the_file_wins(
    http: httpx2.AsyncClient, parts: Context, file: File, engine: MemoryEngine
) -> None:
    parts.work.tenant_weights["t"] = 3.0
    await http.post("/v1/jobs", json=BODY)
    look(parts, file, "[tenants.t]\nweight = 7")
    await http.post("/v1/jobs", json=BODY)

    assert [start.place.weight for start in engine.starts] == [3.0, 7.0]


@pytest.mark.parametrize(
    ("said", "pools", "problem"),
    [
        ("", ["small", "big"], None),
        ('pools = ["small"]', ["small"], None),
        ('pools = ["big"]', [], None),
        ('pools = ["small"]', ["small", "big"], ("/pools/1", "there is no pool 'big'; there are: small")),
        ('pools = ["small"]', ["huge"], ("/pools/0", "there is no pool 'huge'; there are: small")),
        (
            'pools = ["small"]',
            [],
            (
                "/pools",
                "name the pools that gpt-image-2.5-flare is to be bought from, "
                "of those that there are: small",
            ),
        ),
        ('pools = ["gone"]', ["big"], ("/pools/0", "there is no pool 'big'; there are: ")),
    ],
)
async def test_a_tenant_s_jobs_are_bought_from_its_pools_alone(
    http: httpx2.AsyncClient,
    parts: Context,
    file: File,
    *,
    said: str,
    pools: list[str],
    problem: tuple[str, str] | None,
) -> None:
    look(parts, file, f"[tenants.t]\n{said}\n")
    answer = await http.post("/v1/jobs", json=BODY | {"pools": pools})

    if problem is None:
        assert answer.status_code == 202, answer.text
        return
    assert [(error["pointer"], error["detail"]) for error in answer.json()["errors"]] == [problem]


def test_an_alias_does_not_lead_a_tenant_to_a_pool_that_it_may_not_use() -> None:
    served = [Pool(name=name, base_url="", api_key="") for name in ("mine", "theirs")]
    pools = Pools(served, {"m": Alias("m", "theirs")})

    assert pool_problems(pools, [], ["m"], ["mine", "theirs"]) == []
    [(where, _)] = pool_problems(pools, [], ["m"], ["mine"])
    assert where == "/pools"


async def test_a_tenant_names_its_own_buckets_instead_of_those_of_all(
    http: httpx2.AsyncClient, parts: Context, file: File
) -> None:
    body: dict[str, Any] = BODY | {"items": [ITEM | {"images": ["s3://photos/mine/a.png"]}]}
    refused = await http.post("/v1/jobs", json=body)
    look(parts, file, '[tenants.t]\nbuckets = ["photos/mine"]')

    assert [error["pointer"] for error in refused.json()["errors"]] == ["/items/0/images/0"]
    assert (await http.post("/v1/jobs", json=body)).status_code == 202
    body["items"][0]["images"] = ["s3://photos/theirs/a.png"]
    assert (await http.post("/v1/jobs", json=body)).status_code == 422


async def test_a_broken_file_is_told_by_readyz_and_does_not_make_it_unready(
    http: httpx2.AsyncClient, parts: Context, file: File
) -> None:
    before = await http.get("/readyz")
    look(parts, file, "[tenants.t]\nweight = -1")
    broken = await http.get("/readyz")

    assert before.json() == {"engine": "ok", "store": "ok"}
    assert (broken.status_code, broken.json()["engine"]) == (200, "ok")
    assert "stays in force" in broken.json()["tenants"]
    file.say("")
    assert "tenants" not in (await http.get("/readyz")).json()


# --- caps ----------------------------------------------------------------------------------------


async def test_the_caps_of_the_file_win_over_those_that_were_set_and_over_all_tenants_(
    parts: Context, control: MemoryStore, file: File
) -> None:
    assert await caps_of(control, "t", day(1), parts.tenants) == day(1)
    await set_caps(control, "t", day(2))
    assert await caps_of(control, "t", day(1), parts.tenants) == day(2)
    file.caps(t=3)
    assert await caps_of(control, "t", day(1), parts.tenants) == day(3)
    assert await caps_of(control, "u", day(1), parts.tenants) == day(1)


async def test_a_submission_tells_the_account_what_the_file_says_at_that_moment(
    http: httpx2.AsyncClient, file: File, engine: MemoryEngine
) -> None:
    file.caps(t=3)
    await http.post("/v1/jobs", json=BODY)
    file.caps(t=2)
    await http.post("/v1/jobs", json=BODY)

    assert [caps for _, caps in engine.told] == [day(3), day(2)]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_caps_of_the_file_are_not_changed_by_http(
    http: httpx2.AsyncClient, file: File, engine: MemoryEngine, control: MemoryStore, method: str
) -> None:
    file.caps(t=3)
    body = {"day_usd": "50"} if method == "PUT" else None
    answer = await http.request(method, "/v1/tenants/t/caps", json=body, headers=OPERATOR)

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/caps-in-file")
    assert "tenants.toml (IMAGEMILL_TENANTS_FILE)" in answer.json()["detail"]
    assert (engine.told, caps_key("t") in control.objects) == ([], False)
    assert (await http.get("/v1/tenants/t/caps", headers=OPERATOR)).json()["day_usd"] == "3.00"
    assert (await http.put("/v1/tenants/u/caps", json={"day_usd": "50"}, headers=OPERATOR)).status_code == 200


async def test_accounts_that_run_are_told_what_the_file_changes(
    parts: Context, file: File, engine: MemoryEngine
) -> None:
    engine.caps = {"a": day(100), "b": day(100), "c": day(5)}
    file.caps(a=10, b=100, c=5, asleep=7)
    told = await follow_once(parts, {})

    assert told == {"a": day(10), "b": day(100), "c": day(5), "asleep": day(7)}
    first = [("a", day(10)), ("b", day(100)), ("c", day(5))]
    assert [(start.tenant, caps) for start, caps in engine.told] == first
    file.caps(a=10, b=4, asleep=7)
    told = await follow_once(parts, told)
    assert [(start.tenant, caps) for start, caps in engine.told[3:]] == [("b", day(4)), ("c", parts.caps)]
    assert await follow_once(parts, told) == told == {"a": day(10), "b": day(4), "asleep": day(7)}
    assert len(engine.told) == 5
    assert list(engine.caps) == ["a", "b", "c"]  # none was started


async def test_caps_that_a_request_told_and_that_the_file_has_taken_back_are_told_again(
    parts: Context, file: File, engine: MemoryEngine
) -> None:
    """Nobody else has seen them, and the account may not have heard of them yet either."""
    file.caps(t=10)
    engine.caps = {"t": day(10)}
    seen = await follow_once(parts, {})
    file.caps(t=100)
    await open_account(parts, "t")
    file.caps(t=10)
    engine.caps["t"] = day(10)
    await follow_once(parts, seen)

    assert [caps for _, caps in engine.told] == [day(10), day(100), day(10)]


async def test_what_can_t_be_told_is_told_later_and_holds_up_nobody(
    parts: Context, file: File, engine: MemoryEngine
) -> None:
    engine.caps = {"a": day(100), "b": day(100)}
    engine.away = 1
    file.caps(a=10, b=10)
    told = await follow_once(parts, {})

    assert [start.tenant for start, _ in engine.told] == ["b"]
    assert await follow_once(parts, told) == {"a": day(10), "b": day(10)}
    assert [start.tenant for start, _ in engine.told] == ["b", "a"]


async def test_an_account_keeps_its_last_caps_where_the_file_would_leave_it_without_any(
    parts: Context, file: File, engine: MemoryEngine
) -> None:
    strict = replace(parts, caps=Caps())
    engine.caps = {"a": day(10)}
    file.caps(a=10)
    told = await follow_once(strict, {})
    engine.told.clear()
    file.say("")

    assert await follow_once(strict, told) == {}
    assert engine.told == []
    with pytest.raises(Problem, match="no cap"):
        await open_account(strict, "a")
    assert await follow_once(replace(strict, allow_uncapped=True), told) == {}
    assert [caps for _, caps in engine.told] == [Caps()]


async def test_a_broken_file_keeps_the_caps_of_before(
    parts: Context, file: File, engine: MemoryEngine
) -> None:
    engine.caps = {"a": day(10)}
    file.caps(a=10)
    told = await follow_once(parts, {})
    engine.told.clear()
    file.say('[tenants.a.caps]\nday_usd = "plenty"')

    assert await follow_once(parts, told) == told
    assert engine.told == []


async def test_the_file_is_followed_until_the_process_ends(
    parts: Context, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "PATIENCE", 0)
    engine = Interrupting()
    engine.caps = {"a": day(100)}
    following = asyncio.create_task(follow_file(replace(parts, engine=engine)))
    for usd in (10, 4):
        told = asyncio.Event()
        engine.meanwhile = partial(_set, told)
        file.caps(a=usd)
        await told.wait()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


async def test_without_a_file_nothing_is_followed(parts: Context) -> None:
    await follow_file(replace(parts, tenants=Tenants()))


class Interrupting(MemoryEngine):
    """An engine that something else happens in front of, the first time that an account is told."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Any = None

    async def tell_account(
        self, start: AccountStart, *, ask: AccountAsk | None = None, caps: Caps | None = None
    ) -> None:
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        await super().tell_account(start, ask=ask, caps=caps)


async def _set(event: asyncio.Event) -> None:
    event.set()


@pytest.mark.parametrize("first", ["submission", "operator"])
async def test_older_caps_that_were_told_late_do_not_stay(parts: Context, first: str) -> None:
    """A request has read larger caps, and tells them after an operator's smaller ones were told."""
    engine = Interrupting()
    parts = replace(parts, engine=engine)
    await set_caps(parts.control, "t", day(100))
    engine.meanwhile = lambda: change_caps(parts, "t", day(10))
    await (open_account(parts, "t") if first == "submission" else change_caps(parts, "t", day(100)))

    assert engine.caps["t"] == day(10)
    assert [caps for _, caps in engine.told] == [day(10), day(100), day(10)]


async def test_caps_that_the_file_lowers_while_older_ones_are_told_are_told_after_them(
    parts: Context, file: File
) -> None:
    engine = Interrupting()
    parts = replace(parts, engine=engine)
    file.caps(t=100)

    async def lower() -> None:
        file.caps(t=10)

    engine.meanwhile = lower
    await open_account(parts, "t")

    assert [caps for _, caps in engine.told] == [day(100), day(10)]
