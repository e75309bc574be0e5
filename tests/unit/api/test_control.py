"""Pausing, resuming, another priority, and trying items again."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from imagemill.domain.job import Counts, JobSummary, Progress, Report, Submission
from imagemill.domain.places import report_key, request_key
from imagemill.domain.renditions import Rendition
from imagemill.domain.request import ImageSettings
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 5, 1, tzinfo=UTC)
BUDGET = {"budget": {"limit_usd": "2"}}


def a_job(**said: Any) -> JobSummary:
    return JobSummary.model_validate(
        {"tenant": "t", "state": "running", "submitted_at": NOW, "cap_nano": 10**9} | said
    )


@pytest.fixture
async def ended(engine: MemoryEngine, control: MemoryStore) -> JobSummary:
    """Of a job that has ended: its summary, its report, and what was submitted."""
    counts = Counts(succeeded=1, failed=3, blocked=1)
    summary = a_job(
        state="completed_with_errors", ended=Progress(counts=counts), items=5, invalid_rows=2, name="spring"
    )
    submission = Submission(
        job="job_1",
        tenant="t",
        submitted_at=NOW,
        defaults=ImageSettings(model="gpt-image-2.5-flare"),
        key="{{ custom_id }}.{{ ext }}",
        name="spring",
        cap_nano=1,
        on_unknown="hold",
        renditions=[Rendition(name="web", width=100)],
        pools=["default"],
    )
    engine.summaries["job_1"] = summary
    await control.put(
        report_key("t", "job_1"), Report(job="job_1", tenant="t", summary=summary).model_dump_json().encode()
    )
    await control.put(request_key("t", "job_1"), submission.model_dump_json().encode())
    return summary


async def test_a_job_is_paused_and_resumed_by_signals(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    engine.summaries["job_1"] = a_job()
    answer = await http.post("/v1/jobs/job_1/pause")
    assert (answer.status_code, answer.json()["state"], engine.paused) == (202, "pausing", ["job_1"])
    engine.summaries["job_1"] = a_job(state="paused")
    assert (await http.post("/v1/jobs/job_1/pause")).json()["state"] == "paused"
    assert (await http.post("/v1/jobs/job_1/resume")).status_code == 202
    assert engine.resumed == ["job_1"]


async def test_a_priority_is_changed_by_a_signal(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    engine.summaries["job_1"] = a_job()
    assert (await http.patch("/v1/jobs/job_1", json={"priority": 1})).status_code == 202
    assert (engine.priorities, engine.budgets) == ([("job_1", 1)], [])


@pytest.mark.parametrize("body", [{}, {"priority": 0}, {"priority": 6}, {"priority": "high"}, {"speed": 1}])
async def test_a_change_that_is_none_changes_nothing(
    http: httpx2.AsyncClient, engine: MemoryEngine, body: dict[str, Any]
) -> None:
    engine.summaries["job_1"] = a_job()
    assert (await http.patch("/v1/jobs/job_1", json=body)).status_code == 422
    assert (engine.priorities, engine.budgets) == ([], [])


@pytest.mark.usefixtures("ended")
async def test_a_retry_is_a_new_job_like_the_one_before(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    answer = await http.post("/v1/jobs/job_1/retry", json=BUDGET | {"states": ["failed"], "priority": 1})
    said = answer.json()
    stored = Submission.model_validate_json(control.data(request_key("t", said["id"])))

    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/jobs/{said['id']}")
    assert (said["retry_of"], said["name"], said["priority"]) == ("job_1", "spring", 1)
    assert stored.retry
    assert (stored.retry.job, stored.retry.states, stored.retry.custom_ids) == ("job_1", ["failed"], None)
    assert (stored.key, stored.cap_nano, stored.on_unknown, stored.pools) == (
        "{{ custom_id }}.{{ ext }}", 2 * 10**9, "hold", ["default"],
    )  # fmt: skip
    assert [rendition.name for rendition in stored.renditions] == ["web"]
    assert [start.place.job for start in engine.starts] == [said["id"]]


@pytest.mark.usefixtures("ended")
async def test_a_retry_is_submitted_once_for_each_key(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    headers = {"idempotency-key": "again"}
    first = await http.post("/v1/jobs/job_1/retry", json=BUDGET, headers=headers)
    second = await http.post("/v1/jobs/job_1/retry", json=BUDGET, headers=headers)
    other = await http.post("/v1/jobs/job_1/retry", json=BUDGET | {"states": ["blocked"]}, headers=headers)

    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert len({start.place.job for start in engine.starts}) == 1


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"states": ["skipped"]}, "/states"),
        ({"states": ["cancelled", "skipped"]}, "/states"),
        ({"states": []}, "/states"),
        ({"states": ["succeeded"]}, "/states/0"),
        ({"items": []}, "/items"),
        ({"pools": ["nowhere"]}, "/pools/0"),
        ({"webhook": {"url": "https://127.0.0.1/"}}, "/webhook/url"),
        ({"budget": {"limit_usd": "0"}}, "/budget/limit_usd"),
    ],
)
async def test_a_retry_that_would_buy_nothing_is_refused(
    http: httpx2.AsyncClient, engine: MemoryEngine, body: dict[str, Any], pointer: str
) -> None:
    answer = await http.post("/v1/jobs/job_1/retry", json=BUDGET | body)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [pointer])
    assert not engine.starts


async def test_bad_rows_alone_are_nothing_to_try_again(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore, ended: JobSummary
) -> None:
    ended.invalid_rows = 3
    report = Report(job="job_1", tenant="t", summary=ended)
    await control.put(report_key("t", "job_1"), report.model_dump_json().encode())
    answer = await http.post("/v1/jobs/job_1/retry", json=BUDGET | {"states": ["failed"]})
    assert answer.status_code == 422
    assert not engine.starts


@pytest.mark.parametrize(("state", "problem"), [("running", "job-not-ended"), ("failed", "no-report")])
async def test_what_runs_or_was_ended_by_hand_is_not_tried_again(
    http: httpx2.AsyncClient, engine: MemoryEngine, state: str, problem: str
) -> None:
    engine.summaries["job_1"] = a_job(state=state)
    answer = await http.post("/v1/jobs/job_1/retry", json=BUDGET)
    assert answer.json()["type"] == f"/problems/{problem}"
    assert not engine.starts


async def test_another_tenants_job_is_not_there(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    engine.summaries["job_1"] = a_job(tenant="other")
    for path, body in (("pause", None), ("resume", None), ("retry", BUDGET)):
        assert (await http.post(f"/v1/jobs/job_1/{path}", json=body)).status_code == 404
    assert (engine.paused, engine.resumed, engine.starts) == ([], [], [])


async def test_a_job_that_had_no_items_is_not_tried_again(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore, ended: JobSummary
) -> None:
    failed = ended.model_copy(update={"state": "failed", "failure": "manifest_unreadable"})
    report = Report(job="job_1", tenant="t", summary=failed)
    await control.put(report_key("t", "job_1"), report.model_dump_json().encode())
    answer = await http.post("/v1/jobs/job_1/retry", json=BUDGET | {"items": ["a"]})

    assert [error["pointer"] for error in answer.json()["errors"]] == ["/items"]
    assert not engine.starts


@pytest.mark.usefixtures("ended")
async def test_a_pool_that_is_gone_or_serves_none_of_it_is_told_before_anything_is_bought(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    """The pools of the job before are looked at as if they were named again."""
    stored = Submission.model_validate_json(control.data(request_key("t", "job_1")))
    before = stored.model_copy(update={"pools": ["gone"]})
    await control.put(request_key("t", "job_1"), before.model_dump_json().encode())
    answer = await http.post("/v1/jobs/job_1/retry", json=BUDGET)

    assert [error["pointer"] for error in answer.json()["errors"]] == ["/pools/0"]
    assert not engine.starts
