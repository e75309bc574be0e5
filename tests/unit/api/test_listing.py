"""The list of jobs: two sources, one order, no job twice and none left out."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from imagemill.domain.index import IndexEntry
from imagemill.domain.job import Counts, JobSummary, Progress
from imagemill.domain.places import index_key
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def summary(n: int, state: Any = "running", **more: Any) -> JobSummary:
    plain: dict[str, Any] = {"tenant": "t", "state": state, "submitted_at": START + timedelta(seconds=n)}
    return JobSummary(**plain | {"cap_nano": 1, "name": f"job {n}", "items": 5} | more)


def runs(engine: MemoryEngine, n: int, **more: Any) -> None:
    engine.summaries[f"job_{n:03}"] = summary(n, **more)


async def ends(
    engine: MemoryEngine, control: MemoryStore, n: int, state: str = "completed", **more: Any
) -> None:
    job = f"job_{n:03}"
    ended = Progress(counts=Counts(succeeded=5), settled_nano=2 * 10**9)
    told = engine.summaries[job] = summary(n, state, ended=ended, **more)
    key = index_key(told.tenant, job, int(told.submitted_at.timestamp() * 1000))
    await control.put(key, IndexEntry.of(job, told).model_dump_json(exclude_none=True).encode())


async def listed(http: httpx2.AsyncClient, limit: Any = 1000, **params: Any) -> list[int]:
    """The numbers of the jobs, page by page."""
    found: list[int] = []
    after: dict[str, Any] = {}
    while True:
        answer = await http.get("/v1/jobs", params=params | after | {"limit": limit})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["data"]) <= limit
        found += [int(job["id"].removeprefix("job_")) for job in page["data"]]
        if not page["has_more"]:
            return found
        after = {"after": page["last"]}


async def test_jobs_of_both_sources_come_newest_first(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    for n in range(30):
        await ends(engine, control, n) if n % 3 else runs(engine, n)
    assert await listed(http) == list(range(29, -1, -1))
    for limit in (1, 4, 7):
        assert await listed(http, limit) == list(range(29, -1, -1))


async def test_what_a_line_says(http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore) -> None:
    await ends(engine, control, 1, metadata={"shop": "berlin"})
    runs(engine, 2, ended=Progress(counts=Counts(succeeded=1)))
    running, ended = (await http.get("/v1/jobs")).json()["data"]

    assert (running["state"], running["items"], running["total"]) == ("running", None, 5)
    assert (ended["items"]["succeeded"], ended["settled_usd"]) == (5, "2.00")
    assert (ended["metadata"], ended["created_at"]) == ({"shop": "berlin"}, "2026-05-01T12:00:01Z")


@pytest.mark.parametrize("seed", range(20))
async def test_pages_hold_whatever_starts_and_ends_between_them(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore, seed: int
) -> None:
    chance = random.Random(seed)
    engine.list_page = chance.choice([1, 3, 1000])
    for n in range(40):
        runs(engine, n)
        if chance.random() < 0.2:  # started late, by a retry
            engine.started[f"job_{n:03}"] = START + timedelta(hours=1, seconds=n)
    found: list[int] = []
    after: dict[str, Any] = {}
    while True:
        page = (await http.get("/v1/jobs", params={"limit": 5} | after)).json()
        found += [int(job["id"].removeprefix("job_")) for job in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["last"]}
        n = chance.randrange(40)
        before = engine.summaries[f"job_{n:03}"]
        await ends(engine, control, n)
        if chance.random() < 0.5:  # the engine's list has not heard of its end
            engine.visible[f"job_{n:03}"] = before
        runs(engine, 40 + len(found))
    assert found == list(range(39, -1, -1))


async def test_a_job_that_ends_while_it_is_listed_is_listed_once(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    ask = engine.find_jobs

    async def and_then_it_ends(*of: Any) -> Any:
        found = await ask(*of)
        await ends(engine, control, 1)
        return found

    runs(engine, 1)
    engine.find_jobs = and_then_it_ends  # type: ignore[method-assign,assignment]
    jobs = (await http.get("/v1/jobs")).json()["data"]
    assert [job["state"] for job in jobs] == ["completed"]


async def test_filters(http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore) -> None:
    runs(engine, 1, state="held", name="spring-2", metadata={"shop": "berlin", "day": "1"})
    runs(engine, 2, name="summer", metadata={"shop": "berlin"})
    await ends(engine, control, 3, name="spring-1", metadata={"shop": "berlin", "day": "1"})
    await ends(engine, control, 4, "failed", name=None)
    runs(engine, 5, tenant="other", name="spring-9", metadata={"shop": "berlin"})
    await ends(engine, control, 6, tenant="other", name="spring-9")

    assert await listed(http) == [4, 3, 2, 1]
    assert await listed(http, state="held") == [1]
    assert await listed(http, state="completed") == [3]
    assert await listed(http, state="failed") == [4]
    assert await listed(http, state="cancelled") == []
    assert await listed(http, name="spring-") == [3, 1]
    assert await listed(http, **{"metadata.shop": "berlin"}) == [3, 2, 1]
    assert await listed(http, **{"metadata.shop": "berlin", "metadata.day": "1"}) == [3, 1]
    assert await listed(http, **{"metadata.shop": "ber"}) == []
    assert await listed(http, submitted_after="2026-05-01T12:00:02Z") == [4, 3, 2]
    assert await listed(http, submitted_before="2026-05-01T12:00:03Z") == [2, 1]
    assert await listed(http, limit=1, submitted_before="2026-05-01T14:00:04+02:00") == [3, 2, 1]
    assert await listed(
        http, submitted_after="2026-05-01T12:00:02", submitted_before="2026-05-01T12:00:03"
    ) == [2]


async def test_a_job_ended_from_outside_is_not_left_out(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    for n in (1, 2, 3):
        runs(engine, n)
    engine.cut_off = {"job_001"}
    assert await listed(http) == [3, 2, 1]
    assert await listed(http, state="failed") == [1]
    assert await listed(http, state="running") == [3, 2]


async def test_a_search_in_vain_goes_on_in_pages(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.listing.READ", 10)
    for n in range(50):
        await ends(engine, control, n, "failed" if n in (3, 44) else "completed")
    first = (await http.get("/v1/jobs", params={"state": "failed", "limit": 5})).json()
    assert ([job["id"] for job in first["data"]], first["has_more"]) == (["job_044"], True)
    assert await listed(http, 5, state="failed") == [44, 3]


async def test_an_entry_of_an_older_version_is_understood(
    http: httpx2.AsyncClient, control: MemoryStore
) -> None:
    key = index_key("t", "job_001", int(START.timestamp() * 1000))
    await control.put(key, b'{"job": "job_001", "name": null, "state": "completed", "settled_nano": 5}')
    [line] = (await http.get("/v1/jobs")).json()["data"]
    assert (line["created_at"], line["items"]) == ("2026-05-01T12:00:00Z", None)


@pytest.mark.parametrize("after", ["x", "../1-job_1", "000000000000001-", "000000000000001-job/../x"])
async def test_a_cursor_is_one_of_ours(http: httpx2.AsyncClient, after: str) -> None:
    assert (await http.get("/v1/jobs", params={"after": after})).json()["type"] == "/problems/invalid-request"


# --- metadata ------------------------------------------------------------------------------------


async def test_metadata_is_kept_and_told(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    said = {"shop": "berlin", "größe": "x" * 512}
    answer = await http.post("/v1/jobs", json=BODY | {"metadata": said})
    assert (answer.status_code, answer.json()["metadata"]) == (202, said)
    assert engine.starts[0].summary.metadata == said


@pytest.mark.parametrize(
    "metadata",
    [{"k" * 65: "v"}, {"": "v"}, {"a=b": "v"}, {"k": "v" * 513}, {"k": 5}, {f"k{n}": "v" for n in range(17)}],
)
async def test_metadata_has_bounds(http: httpx2.AsyncClient, metadata: dict[str, Any]) -> None:
    answer = await http.post("/v1/jobs", json=BODY | {"metadata": metadata})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/metadata")
