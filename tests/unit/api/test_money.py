"""What callers may ask and change about money."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.app import make_app
from api.context import Context
from imagemill.caps import set_caps
from imagemill.domain.budget import Spend
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.job import Counts, Drift, Hold, JobSummary, Progress, Report, ReportLine
from imagemill.domain.messages import BudgetSignal, Estimated, Plan
from imagemill.domain.places import index_key, month_key, report_key
from imagemill.domain.pricing import Estimate
from imagemill.domain.tenant import Caps, TenantAccount, TenantLease
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import ADMIN, BODY, ITEM, KEY

OPERATOR = {"authorization": f"Bearer {ADMIN}"}
NOW = datetime.now(UTC)
TODAY = NOW.date()


def a_job(**more: Any) -> JobSummary:
    return JobSummary(tenant="t", state="running", submitted_at=NOW, items=2, cap_nano=10**9).model_copy(
        update=more
    )


# --- submissions ---------------------------------------------------------------------------------


async def test_a_cap_below_the_cheapest_item_is_refused_with_what_is_needed(
    http: httpx2.AsyncClient,
) -> None:
    cheap = ITEM | {"quality": "low"}
    items = [ITEM, cheap | {"custom_id": "b"}]
    answer = await http.post("/v1/jobs", json=BODY | {"items": items, "budget": {"limit_usd": "0.001"}})
    [error] = answer.json()["errors"]
    least = error["detail"].split("set it to ")[1].split(" ")[0]
    body = BODY | {"items": [cheap], "budget": {"limit_usd": least}}

    assert answer.status_code == 422
    assert error["pointer"] == "/budget/limit_usd"
    assert (await http.post("/v1/jobs", json=body)).status_code == 202


async def test_a_manifests_cap_is_held_against_its_cheapest_variant(
    http: httpx2.AsyncClient, control: MemoryStore
) -> None:
    file = "file_" + "0" * 26
    await control.put(f"files/t/{file}", b"Handle,Title\na,Chair\n")
    manifest = {"file_id": file, "format": "csv", "id": "{{ row.Handle }}", "prompt": "{{ row.Title }}"}
    body = BODY | {"items": None, "manifest": manifest, "budget": {"limit_usd": "0.0001"}}
    answer = await http.post("/v1/jobs", json=body)

    assert [error["pointer"] for error in answer.json()["errors"]] == ["/budget/limit_usd"]


async def test_a_model_without_a_price_is_taken_where_the_job_states_one(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    body = BODY | {"defaults": {"model": "theirs"}}
    refused = await http.post("/v1/jobs", json=body)
    taken = await http.post("/v1/jobs", json=body | {"prices": {"theirs": {"image_usd": "0.05"}}})
    request = json.loads(await control.get(f"jobs/t/{taken.json()['id']}/request.json"))

    assert [error["pointer"] for error in refused.json()["errors"]] == ["/defaults/model"]
    assert taken.status_code == 202
    assert request["prices_nano"] == {"theirs": 50_000_000}
    assert engine.starts[-1].first_ask_nano == 50_000_000


@pytest.mark.parametrize(
    ("prices", "pointer"),
    [
        ({"gpt-image-2": {"image_usd": "0.05"}}, "/prices/gpt-image-2"),
        ({"theirs": {"image_usd": "0"}}, "/prices/theirs/image_usd"),
        ({"theirs": {"image_usd": "-1"}}, "/prices/theirs/image_usd"),
        ({"theirs": {}}, "/prices/theirs/image_usd"),
    ],
)
async def test_a_price_that_is_none_is_refused(
    http: httpx2.AsyncClient, prices: dict[str, Any], pointer: str
) -> None:
    answer = await http.post("/v1/jobs", json=BODY | {"prices": prices})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(("days", "warned"), [(10, True), (60, False)])
async def test_a_model_that_ends_soon_is_warned_of(
    parts: Context, tmp_path: Path, days: int, warned: bool
) -> None:
    end = TODAY + timedelta(days=days)
    prices = tmp_path / "prices.toml"
    prices.write_text(
        f'version = "1"\n[models.old]\nusd_per_image = "0.01"\nshutdown = {end}\nsuccessor = "new"\n'
    )
    app = make_app(replace(parts, catalogue=Catalogue.load(prices)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://api") as client:
        headers = {"authorization": f"Bearer {KEY}"}
        answer = await client.post("/v1/jobs", json=BODY | {"defaults": {"model": "old"}}, headers=headers)

    said = answer.json()["warnings"]
    assert bool(said) == warned
    assert all("new" in warning and end.isoformat() in warning for warning in said)


async def test_a_tenant_without_a_cap_is_refused_unless_that_is_allowed(parts: Context) -> None:
    bare = replace(parts, caps=Caps())
    for context, status in ((bare, 403), (replace(bare, allow_uncapped=True), 202)):
        transport = httpx2.ASGITransport(app=make_app(context))
        async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
            headers = {"authorization": f"Bearer {KEY}"}
            answer = await client.post("/v1/jobs", json=BODY, headers=headers)
        assert answer.status_code == status, answer.text
        if status == 403:
            assert answer.json()["type"] == "/problems/no-tenant-cap"
            assert "/v1/tenants/t/caps" in answer.json()["detail"]


async def test_an_account_is_told_of_the_caps_once(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    for name in ("a", "b"):
        await http.post("/v1/jobs", json=BODY | {"name": name})
    assert len(engine.told) == 1


# --- estimates -----------------------------------------------------------------------------------


async def test_an_estimate_starts_nothing(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    estimate = Estimate(low_nano=10**9, expected_nano=2 * 10**9, high_nano=6 * 10**9, uncertain=["x: y"])
    plan = Plan(items=7, estimate=estimate.model_copy(update={"reused": 3}))
    engine.estimated = Estimated(plan=plan, cheapest_nano=10**8)
    answer = (await http.post("/v1/jobs?validate_only=true", json=BODY)).json()

    assert engine.starts == []
    assert answer["estimate"] == {
        "low_usd": "1.00",
        "expected_usd": "2.00",
        "high_usd": "6.00",
        "uncertain": ["x: y"],
        "reused": 3,
    }
    assert (answer["items"], answer["reused"]) == (7, 3)
    assert (answer["enough"], answer["limit_usd"]) == ("likely", "5.00")
    assert answer["invalid_rows"] is None
    assert not [key async for key in control.keys("jobs/")]


@pytest.mark.parametrize(
    ("cap", "enough"), [("6", "surely"), ("5.99", "likely"), ("1.99", "not_for_all"), ("0.5", "not_for_any")]
)
async def test_an_estimate_says_whether_the_cap_is_enough(
    http: httpx2.AsyncClient, engine: MemoryEngine, cap: str, enough: str
) -> None:
    estimate = Estimate(low_nano=10**9, expected_nano=2 * 10**9, high_nano=6 * 10**9)
    engine.estimated = Estimated(plan=Plan(items=7, estimate=estimate), cheapest_nano=6 * 10**8)
    body = BODY | {"budget": {"limit_usd": cap}}

    assert (await http.post("/v1/jobs?validate_only=true", json=body)).json()["enough"] == enough


async def test_an_estimate_that_takes_too_long_says_so(
    http: httpx2.AsyncClient, control: MemoryStore
) -> None:
    answer = await http.post("/v1/jobs?validate_only=true", json=BODY)

    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/estimate-too-slow")
    assert not [key async for key in control.keys("estimates/")]


async def test_what_would_be_refused_is_refused(http: httpx2.AsyncClient) -> None:
    body = BODY | {"defaults": {"model": "gpt-image-9"}}
    answer = await http.post("/v1/jobs?validate_only=true", json=body)

    assert answer.status_code == 422


# --- running jobs --------------------------------------------------------------------------------


async def test_a_cap_is_changed_by_a_signal(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    engine.summaries["job_1"] = a_job()
    answer = await http.patch("/v1/jobs/job_1", json={"budget": {"limit_usd": "7"}})

    assert (answer.status_code, answer.json()["cost"]["limit_usd"]) == (202, "7.00")
    await http.patch("/v1/jobs/job_1", json={"budget": {"on_exhausted": "skip"}})
    assert engine.budgets == [
        ("job_1", BudgetSignal(cap_nano=7 * 10**9)),
        ("job_1", BudgetSignal(on_exhausted="skip")),
    ]


@pytest.mark.parametrize("usd", ["0", "-1", "1e30", "0.0000000001", "much"])
async def test_a_cap_that_is_none_changes_nothing(
    http: httpx2.AsyncClient, engine: MemoryEngine, usd: str
) -> None:
    engine.summaries["job_1"] = a_job()
    answer = await http.patch("/v1/jobs/job_1", json={"budget": {"limit_usd": usd}})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/budget/limit_usd"]
    assert engine.budgets == []


async def test_a_job_that_has_ended_is_neither_changed_nor_resumed(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    engine.summaries["job_1"] = a_job(state="completed")
    for answer in (
        await http.patch("/v1/jobs/job_1", json={"budget": {"limit_usd": "7"}}),
        await http.patch("/v1/jobs/job_1", json={"priority": 1}),
        await http.post("/v1/jobs/job_1/resume"),
        await http.post("/v1/jobs/job_1/pause"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/job-ended")
    assert (engine.budgets, engine.resumed, engine.paused, engine.priorities) == ([], [], [], [])


async def test_a_hold_says_what_it_needs(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    hold = Hold(code="tenant_budget", since=NOW, smallest_nano=5, likely_nano=10**9, until=NOW)
    engine.summaries["job_1"] = a_job(state="held", hold=hold)
    said = (await http.get("/v1/jobs/job_1")).json()["hold"]

    assert (said["code"], said["smallest_usd"], said["likely_usd"]) == (
        "tenant_budget",
        "0.000000005",
        "1.00",
    )
    assert datetime.fromisoformat(said["until"]) == NOW
    await http.post("/v1/jobs/job_1/resume")
    assert engine.resumed == ["job_1"]


# --- reports -------------------------------------------------------------------------------------


async def test_a_report_is_the_receipt(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    ended = Progress(counts=Counts(succeeded=1, failed=1, images=1), settled_nano=3, written_off_nano=4)
    summary = a_job(state="completed_with_errors", ended=ended, ended_at=NOW)
    line = ReportLine(model="m", state="failed", items=1, written_off_nano=4, uncertain=1)
    report = Report(
        job="job_1",
        tenant="t",
        summary=summary,
        lines=[line],
        drift={"m": Drift(calls=1, amount_nano=2, permille=1250)},
        catalogue="2026-01-01",
    )
    for known, problem in ((a_job(), "job-not-ended"), (summary, "no-report")):
        engine.summaries["job_1"] = known
        assert (await http.get("/v1/jobs/job_1/report")).json()["type"] == f"/problems/{problem}"
    await control.put(report_key("t", "job_1"), report.model_dump_json().encode())
    said = (await http.get("/v1/jobs/job_1/report")).json()

    assert (said["settled_usd"], said["written_off_usd"]) == ("0.000000003", "0.000000004")
    assert said["drift"] == [{"model": "m", "calls": 1, "above_usd": "0.000000002", "factor": "1.25"}]
    assert said["lines"][0]["written_off_usd"] == "0.000000004"
    assert said["price_table"] == "2026-01-01"
    assert (await http.get("/v1/jobs/job_1/report?items=true")).json()["data"] == []


# --- caps and usage ------------------------------------------------------------------------------


async def test_only_the_operator_sets_caps(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    body = {"day_usd": "5", "time_zone": "Europe/Berlin"}
    assert (await http.put("/v1/tenants/t/caps", json=body)).status_code == 403
    answer = await http.put("/v1/tenants/t/caps", json=body, headers=OPERATOR)
    caps = Caps(day_nano=5 * 10**9, time_zone="Europe/Berlin")

    assert answer.json() == {
        "tenant": "t",
        "day_usd": "5.00",
        "month_usd": None,
        "time_zone": "Europe/Berlin",
    }
    assert engine.told[-1][1] == caps
    assert (await http.get("/v1/tenants/t/caps", headers=OPERATOR)).json() == answer.json()
    assert (await http.get("/v1/usage", headers=OPERATOR)).status_code == 401

    gone = await http.delete("/v1/tenants/t/caps", headers=OPERATOR)
    assert gone.json()["day_usd"] == "1000.00"
    assert engine.told[-1][1] == Caps(day_nano=10**12)


async def test_without_an_operators_key_nobody_sets_caps(parts: Context) -> None:
    transport = httpx2.ASGITransport(app=make_app(replace(parts, admin_sha256=None)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        stranger = await client.put("/v1/tenants/t/caps", json={}, headers=OPERATOR)
        answer = await client.put("/v1/tenants/t/caps", json={}, headers={"authorization": f"Bearer {KEY}"})
    assert (stranger.status_code, answer.status_code) == (401, 403)
    assert "IMAGEMILL_ADMIN_KEY" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"day_usd": "0"}, "/day_usd"),
        ({"month_usd": "-3"}, "/month_usd"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"week_usd": "3"}, "/week_usd"),
    ],
)
async def test_caps_that_are_none_are_refused(
    http: httpx2.AsyncClient, engine: MemoryEngine, body: dict[str, str], pointer: str
) -> None:
    answer = await http.put("/v1/tenants/t/caps", json=body, headers=OPERATOR)

    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert engine.told == []


async def test_usage_is_by_day_model_and_job_and_says_what_is_left(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    first = TODAY.replace(day=1)
    account = TenantAccount(tenant="t", caps=Caps(day_nano=10**9, month_nano=5 * 10**9), today=TODAY)
    account.days = {TODAY.isoformat(): {"m": Spend(settled=2, written_off=1), "k": Spend(settled=4)}}
    account.leases["job_2/x"] = TenantLease(granted=30, spent={"m": Spend(settled=2)})
    engine.accounts["t"] = account
    engine.summaries["job_2"] = a_job(name="spring", state="held")
    entry = {"job": "job_1", "name": "n", "state": "completed", "settled_nano": 5, "written_off_nano": 1}
    for day, name in ((NOW, "job_1"), (NOW - timedelta(days=40), "job_0")):
        key = index_key("t", name, int(day.timestamp() * 1000))
        await control.put(key, json.dumps(entry | {"job": name}).encode())
    said = (await http.get("/v1/usage")).json()

    assert (said["settled_usd"], said["written_off_usd"]) == ("0.000000006", "0.000000001")
    assert said["day"]["left_usd"] == "0.999999965"  # 7 are spent, and 28 leased
    assert said["month"]["left_usd"] == "4.999999965"
    assert said["leased_usd"] == "0.000000028"
    assert [day["date"] for day in said["days"]] == [TODAY.isoformat()]
    assert said["models"]["k"]["settled_usd"] == "0.000000004"
    assert [(job["id"], job["name"], job["state"]) for job in said["jobs"]] == [
        ("job_2", "spring", "held"),
        ("job_1", "n", "completed"),
    ]
    assert (said["first"], said["last"]) == (first.isoformat(), TODAY.isoformat())


async def test_usage_of_long_ago_is_read_from_what_was_saved(
    http: httpx2.AsyncClient, control: MemoryStore
) -> None:
    await set_caps(control, "t", Caps(month_nano=1))
    days = {"2020-02-03": {"m": {"settled": 7, "written_off": 0}}}
    saved = {"tenant": "t", "month": "2020-02", "days": days}
    await control.put(month_key("t", "2020-02"), json.dumps(saved).encode())
    said = (await http.get("/v1/usage?from=2020-02-01&to=2020-02-29")).json()

    assert said["settled_usd"] == "0.000000007"
    assert [day["date"] for day in said["days"]] == [date(2020, 2, 3).isoformat()]


@pytest.mark.parametrize("days", ["from=2026-02-02&to=2026-02-01", "from=2020-01-01&to=2026-01-01"])
async def test_a_span_of_days_that_is_none_is_refused(http: httpx2.AsyncClient, days: str) -> None:
    answer = await http.get(f"/v1/usage?{days}")

    assert answer.status_code == 422
    assert "366 days" in answer.json()["detail"]
