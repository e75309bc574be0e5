import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from imagemill.domain.job import Counts, JobSummary, Progress
from imagemill.domain.places import file_key, idempotency_key
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY, FILE, ITEM, KEY

MANIFEST = {"file_id": FILE, "format": "csv", "id": "{{ row.Handle }}", "prompt": "{{ row.Title }}"}


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer im_test_wrong", f"Basic {KEY}"])
async def test_without_the_key_there_is_no_answer(http: httpx2.AsyncClient, sent: str) -> None:
    answer = await http.get("/v1/jobs/job_1", headers={"authorization": sent})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await http.get("/healthz", headers={"authorization": ""})).status_code == 200


def manifest(**said: object) -> dict[str, Any]:
    return {"items": None, "manifest": MANIFEST | said}


@pytest.mark.parametrize(
    ("change", "pointer", "says"),
    [
        ({"items": []}, "/", "at least one item"),
        ({"items": None}, "/", "either items or a manifest"),
        ({"manifest": MANIFEST}, "/", "either items or a manifest"),
        ({"items": [ITEM, ITEM]}, "/items/1/custom_id", "/items/0"),
        ({"colour": 1}, "/colour", "not a field"),
        ({"items": [ITEM | {"colour": 1}]}, "/items/0/colour", "not a field"),
        ({"defaults": {"model": "gpt-image-9"}}, "/defaults/model", "no price"),
        ({"defaults": {}}, "/defaults/model", "no model"),
        ({"items": [ITEM | {"size": "16x16"}]}, "/items/0/size", "655,360"),
        ({"items": [ITEM | {"size": "big"}]}, "/items/0/size", "pattern"),
        ({"items": [ITEM | {"n": 11}]}, "/items/0/n", "10"),
        ({"items": [ITEM | {"prompt": " "}]}, "/items/0/prompt", "pattern"),
        ({"budget": {"limit_usd": "0"}}, "/budget/limit_usd", "buys nothing"),
        ({"budget": {"limit_usd": "-1"}}, "/budget/limit_usd", "negative"),
        ({"budget": {"limit_usd": "0.0000000001"}}, "/budget/limit_usd", "finer"),
        ({"budget": {"limit_usd": "1e10"}}, "/budget/limit_usd", "billion"),
        ({"budget": {"limit_usd": "1e999999"}}, "/budget/limit_usd", "billion"),
        ({"budget": {"limit_usd": 5}}, "/budget/limit_usd", "string"),
        ({"output": {"key": "{{ nam }}"}}, "/output/key", "unknown variable"),
        (manifest(prompt="{{ row.Title"), "/manifest/prompt", "not a Liquid template"),
        (manifest(prompt="{{ row.Titel }}"), "/manifest/prompt", "did you mean 'Title'"),
        (manifest(prompt="{{ row.Title | upcas }}"), "/manifest/prompt", "did you mean 'upcase'"),
        (manifest(file_id="file_" + "1" * 26), "/manifest/file_id", "there is no file"),
        (manifest(format="xlsx"), "/manifest/format", "csv"),
    ],
)
async def test_a_refusal_points_at_the_place_and_writes_nothing(  # noqa: PLR0917
    http: httpx2.AsyncClient,
    control: MemoryStore,
    engine: MemoryEngine,
    change: dict[str, Any],
    pointer: str,
    says: str,
) -> None:
    await control.put(file_key("t", FILE), b"Handle,Title\na,Chair\n")
    before = control.written
    answer = await http.post("/v1/jobs", json=BODY | change, headers={"idempotency-key": "k"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
    assert says in answer.json()["errors"][0]["detail"]
    assert control.written == before
    assert engine.starts == []


async def test_the_same_key_and_body_give_the_same_job(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    headers = {"idempotency-key": "k"}
    first = await http.post("/v1/jobs", json=BODY, headers=headers)
    again = await http.post("/v1/jobs", json=BODY, headers=headers)
    other = await http.post("/v1/jobs", json=BODY | {"name": "other"}, headers=headers)

    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 422)
    assert first.headers["location"] == f"/v1/jobs/{first.json()['id']}"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert len(engine.starts) == 1


async def test_fifty_at_once_with_one_key_are_one_job(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    headers = {"idempotency-key": "k"}
    answers = await asyncio.gather(*(http.post("/v1/jobs", json=BODY, headers=headers) for _ in range(50)))

    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(engine.summaries) == 1
    assert len([key for key in control.written if key.endswith("/request.json")]) == 1


async def test_what_was_recorded_and_never_started_is_started_by_the_retry(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    headers = {"idempotency-key": "k"}
    engine.starts_away = 1
    assert (await http.post("/v1/jobs", json=BODY, headers=headers)).status_code == 503
    assert engine.starts == []

    assert (await http.post("/v1/jobs", json=BODY, headers=headers)).status_code == 200
    assert len(engine.starts) == 1


async def test_a_job_that_the_engine_forgot_is_not_started_anew(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    headers = {"idempotency-key": "k"}
    job = (await http.post("/v1/jobs", json=BODY, headers=headers)).json()["id"]
    engine.forget(job)
    key = idempotency_key("t", "k")
    record = json.loads(control.data(key))
    record["at"] = (datetime.now(UTC) - timedelta(days=16)).isoformat()
    await control.put(key, json.dumps(record).encode())

    assert (await http.post("/v1/jobs", json=BODY, headers=headers)).status_code == 410
    assert len(engine.starts) == 1


def summary(tenant: str) -> JobSummary:
    now = datetime.now(UTC)
    ended = Progress(counts=Counts(succeeded=2, images=2), settled_nano=10**9)
    return JobSummary(
        tenant=tenant,
        state="running",
        submitted_at=now,
        items=10,
        open_chunks={1: 0},
        cap_nano=5 * 10**9,
        ended=ended,
    )


async def test_jobs_that_are_not_there_and_jobs_of_others_are_not_found(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    engine.summaries["job_other"] = summary("somebody")
    for job in ("job_other", "job_none"):
        for answer in (await http.get(f"/v1/jobs/{job}"), await http.post(f"/v1/jobs/{job}/cancel")):
            assert answer.status_code == 404
    assert engine.cancelled == []


async def test_a_status_sums_the_job_and_its_chunks(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    engine.summaries["job_1"] = summary("t")
    engine.chunks["job_1", 1] = Progress(
        counts=Counts(failed=1), running=3, settled_nano=1, written_off_nano=2, reserved_nano=3
    )
    status = (await http.get("/v1/jobs/job_1")).json()

    assert (status["items"]["succeeded"], status["items"]["failed"], status["items"]["pending"]) == (2, 1, 4)
    assert status["cost"] == {
        "settled_usd": "1.000000001",
        "written_off_usd": "0.000000002",
        "reserved_usd": "0.000000003",
        "committed_usd": "1.000000006",
        "limit_usd": "5.00",
    }


async def test_a_body_that_is_too_large_is_refused(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    answer = await http.post("/v1/jobs", content=b"x", headers={"content-length": str(33 * 1024 * 1024)})

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert control.calls == []
