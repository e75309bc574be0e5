"""/v1/system: what is told of the engine, the buckets, workers, queues and pools, and to whom."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from api.app import make_app
from api.context import Context
from api.keys import Keyring, hash_key
from imagemill.domain.pace import Pace, Trouble
from imagemill.domain.pools import Group, Pool, Pools
from imagemill.ports import Poller, QueueState
from imagemill.tenants import Tenants
from tests.fakes.engine import MemoryEngine
from tests.unit.api.bodies import ADMIN, KEY

QUEUE = "images.main.default"


def a_pool(name: str) -> Pool:
    return Pool(
        name=name,
        base_url="http://secret-place/v1",
        api_key=SecretStr("sk-secret"),
        groups={"default": Group(models=("gpt-*",))},
    )


@pytest.fixture
def parts(parts: Context) -> Context:
    return replace(parts, pools=Pools([a_pool("main"), a_pool("spare")]))


@pytest.fixture
def shared(parts: Context, tmp_path: Path) -> Context:
    """The same service with a file of tenants: ours may use one of the two pools."""
    path = tmp_path / "tenants.toml"
    path.write_text(f"""
[tenants.t]
pools = ["spare"]
[[tenants.t.keys]]
id = "k"
sha256 = "{hash_key(KEY).hex()}"
scopes = ["read"]
""")
    return replace(parts, tenants=Tenants(path), keys=Keyring(Tenants(), KEY, "t"))


async def asked(parts: Context, key: str) -> Any:
    transport = httpx2.ASGITransport(app=make_app(parts))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        return (await client.get("/v1/system", headers={"authorization": f"Bearer {key}"})).json()


def polled(engine: MemoryEngine, *seconds_ago: float) -> None:
    now = datetime.now(UTC)
    pollers = [Poller(f"{n}@host", now - timedelta(seconds=ago)) for n, ago in enumerate(seconds_ago)]
    engine.queues[QUEUE, "activity"] = QueueState(
        QUEUE, "activity", backlog=7, oldest=timedelta(seconds=90), pollers=pollers
    )


async def test_workers_are_told_with_what_they_work_for_and_whether_they_are_silent(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    polled(engine, 5, 280)
    engine.queues["imagemill", "workflow"] = QueueState(
        "imagemill", "workflow", pollers=[Poller("0@host", datetime.now(UTC))]
    )
    answer = (await http.get("/v1/system")).json()

    assert [(each["name"], each["alive"], each["queues"]) for each in answer["workers"]] == [
        ("0@host", True, ["imagemill", QUEUE]),
        ("1@host", False, [QUEUE]),
    ]
    queue = next(each for each in answer["queues"] if each["name"] == QUEUE)
    assert (queue["backlog"], queue["oldest_seconds"], queue["pollers"]) == (7, 90, 2)


async def test_trouble_of_a_pool_is_told_in_words(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    since = datetime(2026, 11, 21, 12, tzinfo=UTC)
    trouble = Trouble(code="invalid_api_key", since=since, next_probe=since + timedelta(hours=1), wait=60)
    engine.paces["pool/main/default"] = Pace(images_per_minute=30, trouble=trouble)
    main, spare = (await http.get("/v1/system")).json()["pools"]

    assert main["groups"][0]["state"] == "trouble"
    assert main["groups"][0]["trouble"] == {
        "code": "invalid_api_key",
        "detail": "The provider refuses the API key.",
        "since": "2026-11-21T12:00:00Z",
        "next_probe": "2026-11-21T13:00:00Z",
    }
    assert spare["groups"][0]["state"] == "unknown"


@pytest.mark.parametrize(("seconds", "state"), [(60, "paused"), (-60, "ok")])
async def test_a_pause_that_the_provider_asked_for_is_one_until_it_is_over(
    http: httpx2.AsyncClient, engine: MemoryEngine, seconds: int, state: str
) -> None:
    engine.paces["pool/main/default"] = Pace(paused_until=datetime.now(UTC) + timedelta(seconds=seconds))
    group = (await http.get("/v1/system")).json()["pools"][0]["groups"][0]

    assert group["state"] == state
    assert (group["paused_until"] is not None) == (state == "paused")


async def test_a_service_without_its_engine_says_so(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    engine.reachable = False
    engine.away = 1000
    answer = (await http.get("/v1/system")).json()

    assert answer["parts"][0] == {"name": "engine", "state": "away"}
    assert answer["parts"][1] == {"name": "control", "state": "ok"}
    assert {group["state"] for pool in answer["pools"] for group in pool["groups"]} == {"unknown"}


async def test_an_engine_that_goes_away_while_it_is_asked_is_no_failure(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    engine.away = 1000

    assert (await http.get("/v1/system")).status_code == 200


async def test_one_of_several_tenants_sees_its_pools_and_nothing_of_others_load(
    shared: Context, engine: MemoryEngine
) -> None:
    polled(engine, 5)
    engine.paces["pool/spare/default"] = Pace(images_per_minute=12, workers=9)
    answer = await asked(shared, KEY)

    assert answer["workers"] is None
    assert answer["queues"] is None
    assert [pool["name"] for pool in answer["pools"]] == ["spare"]
    group = answer["pools"][0]["groups"][0]
    assert (group["images_per_minute"], group["workers"], group["backlog"]) == (12, None, None)


async def test_the_operator_sees_it_all(shared: Context, engine: MemoryEngine) -> None:
    polled(engine, 5)
    answer = await asked(shared, ADMIN)

    assert [worker["name"] for worker in answer["workers"]] == ["0@host"]
    assert [pool["name"] for pool in answer["pools"]] == ["main", "spare"]
    assert answer["pools"][0]["groups"][0]["backlog"] == 7


async def test_nothing_of_an_account_is_shown(http: httpx2.AsyncClient) -> None:
    assert "secret" not in (await http.get("/v1/system")).text


async def test_without_a_key_nothing_is_told(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/system", headers={"authorization": "Bearer im_no_0123456789abcdef"})

    assert answer.status_code == 401
