"""Items: by page, by id, by state, and while no worker answers."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from api import pages
from imagemill.domain.item import CallRecord, ImageFacts, ItemRecord, ItemResult, PlannedItem, Problem
from imagemill.domain.job import ChunkFacts, Counts, JobSummary, Report
from imagemill.domain.places import CHUNK_ITEMS, plan_key, report_key, request_key, results_key
from imagemill.domain.results import result_of
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore

JOB = "job_1"
HARD = ["shoes/red", "100%", "%2F", "a b?c#d&e=f", 'größe/木"', "a/images/1", "..x", "x\\y"]
PICTURE = ImageFacts(sha256="0" * 64, bytes=9, width=8, height=8, format="png")


def planned(index: int, custom_id: str, variant: str | None = None) -> PlannedItem:
    return PlannedItem(index=index, custom_id=custom_id, variant=variant, names=[f"{index}.png"])


def done(index: int, state: Any = "succeeded") -> ItemRecord:
    call = CallRecord(reservation="r", call="c", model="m", images=[PICTURE], cost_nano=5)
    return ItemRecord(index=index, state=state, call=call if state == "succeeded" else None)


async def put_plan(control: MemoryStore, chunk: int, items: list[PlannedItem]) -> None:
    lines = "".join(item.model_dump_json(exclude_none=True) + "\n" for item in items)
    await control.put(plan_key("t", JOB, chunk), lines.encode())


async def put_results(control: MemoryStore, chunk: int, results: list[ItemResult]) -> None:
    lines = "".join(result.model_dump_json(exclude_none=True) + "\n" for result in results)
    await control.put(results_key("t", JOB, chunk), lines.encode())


def job(engine: MemoryEngine, **more: Any) -> JobSummary:
    plain: dict[str, Any] = {"tenant": "t", "state": "running", "submitted_at": datetime.now(UTC)}
    engine.summaries[JOB] = JobSummary(**plain | {"cap_nano": 1} | more)
    return engine.summaries[JOB]


# --- without workers, and without the engine's memory --------------------------------------------


async def test_without_workers_the_store_answers_and_says_so(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    job(engine, items=4, chunks=2, open_chunks={1: 0})
    await put_plan(control, 0, items := [planned(0, "a"), planned(1, "b")])
    await put_results(control, 0, [result_of(item, done(item.index), "", JOB) for item in items])
    await put_plan(control, 1, [planned(0, "c"), planned(1, "d")])
    engine.known_records[f"{JOB}/1"] = [done(0)]

    fresh = (await http.get(f"/v1/jobs/{JOB}/items")).json()
    assert ([i["state"] for i in fresh["data"]], fresh["stale"]) == (["succeeded"] * 3 + ["pending"], False)
    results = await http.get(f"/v1/jobs/{JOB}/results")
    assert (len(results.text.splitlines()), "imagemill-stale" in results.headers) == (3, False)

    engine.unanswered = True
    old = (await http.get(f"/v1/jobs/{JOB}/items")).json()
    assert ([i["state"] for i in old["data"]], old["stale"]) == (["succeeded"] * 2 + ["pending"] * 2, True)
    results = await http.get(f"/v1/jobs/{JOB}/results")
    assert (len(results.text.splitlines()), results.headers["imagemill-stale"]) == (2, "true")


async def test_a_bad_row_reads_as_failed_whoever_is_asked(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    """Before its chunk runs, while it runs, and while nobody answers for it: never pending after failed."""
    bad = planned(0, "bad").model_copy(update={"problem": Problem(code="bad_row", detail="no cells")})
    await put_plan(control, 0, [bad, planned(1, "good")])

    async def states(**more: Any) -> list[str]:
        job(engine, items=2, chunks=1, **more)
        return [item["state"] for item in (await http.get(f"/v1/jobs/{JOB}/items")).json()["data"]]

    engine.known_records[f"{JOB}/0"] = [done(0, "failed")]
    assert await states() == ["failed", "pending"]
    assert await states(open_chunks={0: 0}) == ["failed", "pending"]
    engine.unanswered = True
    assert await states(open_chunks={0: 0}) == ["failed", "pending"]
    assert await states(state="cancelled") == ["failed", "cancelled"]


async def test_all_is_served_after_the_engine_has_forgotten(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    summary = job(engine, state="completed", items=1, chunks=1, ended={"counts": {"succeeded": 1}})
    await control.put(request_key("t", JOB), b"{}")
    await put_plan(control, 0, [planned(0, "a")])
    await put_results(control, 0, [result_of(planned(0, "a"), done(0), "", JOB)])
    await control.put(
        report_key("t", JOB), Report(job=JOB, tenant="t", summary=summary).model_dump_json().encode()
    )
    engine.forget(JOB)

    assert (await http.get(f"/v1/jobs/{JOB}")).json()["items"]["succeeded"] == 1
    assert len((await http.get(f"/v1/jobs/{JOB}/items")).json()["data"]) == 1
    assert len((await http.get(f"/v1/jobs/{JOB}/results")).text.splitlines()) == 1
    assert (await http.get(f"/v1/jobs/{JOB}/report")).json()["settled_usd"] == "0.00"
    assert (await http.get(f"/v1/jobs/{JOB}/items/a")).json()["state"] == "succeeded"
    assert "event: end" in (await http.get(f"/v1/jobs/{JOB}/events")).text


# --- by id ---------------------------------------------------------------------------------------


@pytest.fixture
async def many(engine: MemoryEngine, control: MemoryStore) -> None:
    """Twenty chunks of two, the hard names in the middle; all but the last have ended."""
    names = [f"n{n}" for n in range(16)] + HARD + [f"m{n}" for n in range(16)]
    job(engine, items=40, chunks=20, open_chunks={19: 0})
    for chunk in range(20):
        items = [planned(n, names[2 * chunk + n]) for n in range(2)]
        await put_plan(control, chunk, items)
        if chunk < 19:
            await put_results(control, chunk, [result_of(item, done(item.index), "p", JOB) for item in items])


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("name", HARD)
async def test_an_item_is_found_by_any_name(http: httpx2.AsyncClient, name: str) -> None:
    path = f"/v1/jobs/{JOB}/items/{quote(name, safe='')}"
    answer = await http.get(path)
    assert (answer.status_code, answer.json().get("custom_id")) == (200, name), answer.text

    image = await http.get(f"{path}/images/1")
    assert (image.status_code, image.headers["cache-control"]) == (302, "no-store")
    assert image.headers["location"] == answer.json()["images"][0]["url"]
    assert (await http.get(f"{path}/images/2")).json()["type"] == "/problems/not-found"
    assert (await http.get(f"{path}/images/0")).status_code == 404


@pytest.mark.usefixtures("many")
async def test_slashes_that_were_sent_as_they_are_are_understood(http: httpx2.AsyncClient) -> None:
    assert (await http.get(f"/v1/jobs/{JOB}/items/shoes/red")).json()["custom_id"] == "shoes/red"
    assert (await http.get(f"/v1/jobs/{JOB}/items/shoes/red/images/1")).status_code == 302


@pytest.mark.usefixtures("many")
async def test_the_search_stops_where_the_item_is(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    control.calls.clear()
    await http.get(f"/v1/jobs/{JOB}/items/n3")
    assert len(control.calls) == 8


@pytest.mark.usefixtures("many")
async def test_a_running_item_is_found_and_none_is_invented(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    engine.known_records[f"{JOB}/19"] = [ItemRecord(index=1, state="running")]
    assert (await http.get(f"/v1/jobs/{JOB}/items/m15")).json()["state"] == "running"
    for name in ("m", "n", "15", "m15x", '","variant":"'):
        answer = await http.get(f"/v1/jobs/{JOB}/items/{quote(name, safe='')}")
        assert answer.json()["type"] == "/problems/not-found"
    engine.summaries[JOB].tenant = "other"
    assert (await http.get(f"/v1/jobs/{JOB}/items/m15")).status_code == 404


async def test_a_variant_is_named(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    job(engine, items=2, chunks=1, open_chunks={0: 0})
    await put_plan(control, 0, [planned(0, "a", "square"), planned(1, "a", "banner")])
    found = await http.get(f"/v1/jobs/{JOB}/items/a", params={"variant": "banner"})
    assert found.json()["variant"] == "banner"
    assert "?variant=square" in (await http.get(f"/v1/jobs/{JOB}/items/a")).json()["detail"]
    assert (await http.get(f"/v1/jobs/{JOB}/items/a", params={"variant": "tall"})).status_code == 404


# --- by state ------------------------------------------------------------------------------------


async def states(http: httpx2.AsyncClient, state: str, limit: int) -> tuple[list[str], int]:
    names, asked, after = [], 0, None
    while True:
        asked += 1
        params: dict[str, str | int] = {"state": state, "limit": limit}
        if after:
            params["after"] = after
        page = (await http.get(f"/v1/jobs/{JOB}/items", params=params)).json()
        names += [item["custom_id"] for item in page["data"]]
        if not page["has_more"]:
            return names, asked
        after = page["last"]


async def test_a_finished_job_s_chunks_without_the_state_are_not_read(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    summary = job(engine, state="completed_with_errors", items=30, chunks=30)
    facts = []
    for chunk in range(30):
        state: Any = "failed" if chunk in (7, 23) else "succeeded"
        await put_results(control, chunk, [result_of(planned(0, f"i{chunk}"), done(0, state), "", JOB)])
        zero = {"items": 1, "results_sha256": "", "settled_nano": 0, "written_off_nano": 0}
        facts.append(ChunkFacts(chunk=chunk, counts=Counts(**{state: 1}), **zero))
    report = Report(job=JOB, tenant="t", summary=summary, chunks=facts)
    await control.put(report_key("t", JOB), report.model_dump_json().encode())
    control.calls.clear()

    assert await states(http, "failed", 100) == (["i7", "i23"], 1)
    assert len([key for _, key in control.calls if "/results/" in key]) == 2
    assert await states(http, "failed", 1) == (["i7", "i23"], 2)


async def test_a_page_of_a_running_job_looks_through_so_much_and_then_ends_short(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LOOKED_THROUGH", 4)
    job(engine, items=10 * CHUNK_ITEMS, chunks=10)
    for chunk in range(10):
        state: Any = "blocked" if chunk in (0, 9) else "succeeded"
        await put_results(control, chunk, [result_of(planned(0, f"i{chunk}"), done(0, state), "", JOB)])

    first = (await http.get(f"/v1/jobs/{JOB}/items", params={"state": "blocked"})).json()
    assert (len(first["data"]), first["has_more"], first["last"]) == (1, True, "3.499")
    assert await states(http, "blocked", 100) == (["i0", "i9"], 3)
