"""Submissions that reuse, and manifests that are looked for: what is taken, kept, refused and answered."""

import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from imagemill.domain.job import Counts, JobSummary, Progress, ReuseScope, Submission
from imagemill.domain.manifests import FoundManifest
from imagemill.domain.places import report_key, request_key
from imagemill.domain.pricing import Estimate
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY, FILE

FEED = {"format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.text }}"}


def manifest(**said: Any) -> dict[str, Any]:
    return BODY | {"items": None, "manifest": FEED | said}


def stored(control: MemoryStore, job: str) -> Submission:
    return Submission.model_validate_json(control.data(request_key("t", job)))


async def errors(
    http: httpx2.AsyncClient, body: dict[str, Any], path: str = "/v1/jobs"
) -> list[tuple[str, str]]:
    answer = await http.post(path, json=body)
    assert answer.status_code == 422, answer.text
    assert "secret" not in answer.text
    return [(error["pointer"], error["detail"]) for error in answer.json()["errors"]]


async def accepted(http: httpx2.AsyncClient, body: dict[str, Any]) -> str:
    answer = await http.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


# --- reuse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["none", "tenant"])
async def test_what_a_job_may_reuse_is_written_down(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine, said: ReuseScope
) -> None:
    submission = stored(control, await accepted(http, BODY | {"reuse": said}))
    place = engine.starts[0].place

    assert submission.reuse == said
    assert (place.submitted_at, place.schedule) == (submission.submitted_at, None)
    assert (engine.starts[0].first_ask_nano > 0) == (said == "none")  # planning says what is to be bought


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs?validate_only=true"])
async def test_only_a_run_of_a_schedule_reuses_what_its_schedule_bought(
    http: httpx2.AsyncClient, path: str
) -> None:
    said = await errors(http, BODY | {"reuse": "schedule"}, path)
    assert said == [("/reuse", "this job is no run of a schedule; say tenant, or none")]


async def test_a_cap_that_buys_nothing_is_enough_where_nothing_may_have_to_be_bought(
    http: httpx2.AsyncClient,
) -> None:
    body = BODY | {"budget": {"limit_usd": "0.000001"}}
    assert [where for where, _ in await errors(http, body)] == ["/budget/limit_usd"]
    await accepted(http, body | {"reuse": "tenant"})


async def test_a_retry_reuses_nothing_and_keeps_its_schedule(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    job = await accepted(http, BODY | {"reuse": "tenant"})
    run = {"schedule": "sched_1", "number": 1, "at": "2026-05-01T06:00:00Z"}
    before = Submission.model_validate(stored(control, job).model_dump() | {"reuse": "schedule", "run": run})
    await control.put(request_key("t", job), before.model_dump_json().encode())
    counts = Counts(succeeded=1, reused=1)
    summary = JobSummary(
        tenant="t", state="completed", submitted_at=before.submitted_at, cap_nano=1, items=1, chunks=1
    )
    summary.ended = Progress(counts=counts)
    report = {"job": job, "tenant": "t", "summary": summary.model_dump(mode="json")}
    await control.put(report_key("t", job), json.dumps(report).encode())
    engine.summaries[job] = summary
    answer = await http.post(f"/v1/jobs/{job}/retry", json={"items": ["a"], "budget": {"limit_usd": "5.00"}})

    assert answer.status_code == 202, answer.text
    child = stored(control, answer.json()["id"])
    assert (child.reuse, child.run, child.schedule) == ("none", None, "sched_1")
    assert engine.starts[-1].place.schedule == "sched_1"


async def test_the_status_tells_how_many_were_reused(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    job = await accepted(http, BODY)
    found = FoundManifest(place="s3://shop/feeds/a.csv", bytes=6, sha256="ab" * 32)
    summary = engine.starts[0].summary.model_copy(
        update={
            "state": "running",
            "items": 10,
            "started_at": engine.starts[0].summary.submitted_at - timedelta(minutes=10),
            "estimate": Estimate(high_nano=10**9, reused=6),
            "manifest": found,
            "ended": Progress(counts=Counts(succeeded=8, images=2, reused=6)),
        }
    )
    engine.summaries[job] = summary
    said = (await http.get(f"/v1/jobs/{job}")).json()

    assert (said["items"]["succeeded"], said["items"]["reused"], said["images"]) == (8, 6, 2)
    assert said["estimate"]["reused"] == 6
    assert said["manifest"]["place"] == "s3://shop/feeds/a.csv"
    assert said["seconds_left"] == pytest.approx(600, rel=0.1)  # two of four, not eight of ten


# --- sources -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", [{"newest_file": "feed-"}, {"url": "https://shop.example/feed.csv?sig=1"}], ids=["file", "url"]
)
async def test_a_source_is_written_down_and_nothing_is_read(
    http: httpx2.AsyncClient, control: MemoryStore, source: dict[str, str]
) -> None:
    submission = stored(control, await accepted(http, manifest(source=source)))

    assert submission.manifest
    assert submission.manifest.source
    assert submission.manifest.file_id is None
    assert submission.manifest.source.model_dump(exclude_none=True) == source
    assert not [call for call in control.calls if call[0] == "start_of"]


@pytest.mark.parametrize(
    ("said", "pointer", "says"),
    [
        ({}, "/manifest", "give either a file_id or a source"),
        ({"file_id": FILE, "source": {"newest_file": "a"}}, "/manifest", "give either a file_id or a source"),
        ({"source": {}}, "/manifest/source", "give one of newest, newest_file and url"),
        ({"source": {"newest_file": "a", "url": "https://a.example/"}}, "/manifest/source", "give one of"),
        ({"source": {"newest": "s3://shop/secret/"}}, "/manifest/source/newest", "bucket 'shop'"),
        ({"source": {"newest": "shop/secret"}}, "/manifest/source/newest", "s3://bucket/prefix/"),
        ({"source": {"url": "https://10.0.0.1/secret"}}, "/manifest/source/url", "public host"),
        ({"source": {"url": "http://a.example/secret"}}, "/manifest/source/url", "use https://"),
        ({"source": {"url": FILE}}, "/manifest/source/url", "is no address"),
        ({"source": {"newest_file": "a"}, "prompt": "{{ row.a"}, "/manifest/prompt", ""),
    ],
)
async def test_a_source_that_is_none_is_refused(
    http: httpx2.AsyncClient, said: dict[str, Any], pointer: str, says: str
) -> None:
    found = await errors(http, manifest(**said))
    assert pointer in [where for where, _ in found]
    assert says in dict(found)[pointer]
