import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from api.context import Context
from imagemill.domain.webhooks import DEFAULT_EVENTS
from imagemill.webhook_log import Delivery, LoggedAttempt, WebhookLog
from imagemill.webhook_targets import Disabled, Target, disable, target_of
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
URL = "https://hooks.example.com/in?token=very-secret"
EVENT = "evt_" + "0" * 32
JOB = "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"


async def submit(http: httpx2.AsyncClient, **webhook: Any) -> httpx2.Response:
    return await http.post("/v1/jobs", json=BODY | {"webhook": {"url": URL} | webhook})


async def log_one(control: MemoryStore, tenant: str = "t", event: str = EVENT) -> None:
    delivery = Delivery(
        event=event,
        job=JOB,
        type="job.held",
        host="hooks.example.com",
        created_at=NOW,
        state="failed",
        attempts=[LoggedAttempt(at=NOW, seconds=0.1, status=500)],
    )
    await WebhookLog(control, tenant).open(delivery, b'{"type":"job.held"}')


# --- of jobs -------------------------------------------------------------------------------------


async def test_the_address_is_in_the_store_and_never_with_the_engine(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    answer = await submit(http)
    assert answer.status_code == 202, answer.text
    assert "very-secret" not in answer.text
    (start,) = engine.starts
    assert start.webhook_events == list(DEFAULT_EVENTS)
    assert "very-secret" not in start.model_dump_json()
    assert await target_of(control, "t", answer.json()["id"]) == Target(url=URL, events=list(DEFAULT_EVENTS))


async def test_a_job_without_a_webhook_has_nothing_to_tell(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    await http.post("/v1/jobs", json=BODY)
    assert engine.starts[0].webhook_events == []
    assert not [key for key in control.written if "webhook" in key]


async def test_a_start_that_comes_late_knows_of_the_webhook(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    engine.starts_away = 1
    headers = {"Idempotency-Key": "k"}
    body = BODY | {"webhook": {"url": URL, "events": ["job.running"]}}
    assert (await http.post("/v1/jobs", json=body, headers=headers)).status_code == 503
    assert (await http.post("/v1/jobs", json=body, headers=headers)).status_code == 200
    assert engine.starts[0].webhook_events == ["job.running"]


@pytest.mark.parametrize(
    ("webhook", "pointer"),
    [
        ({"url": "http://hooks.example.com/"}, "/webhook/url"),
        ({"url": "https://u:p@hooks.example.com/"}, "/webhook/url"),
        ({"url": "https://169.254.169.254/"}, "/webhook/url"),
        ({"url": "https://hooks.example.com/" + "x" * 2048}, "/webhook/url"),
        ({"events": ["job.exploded"]}, "/webhook/events/0"),
        ({"events": []}, "/webhook/events"),
        ({"secret": "x"}, "/webhook/secret"),
    ],
)
async def test_what_is_wrong_with_a_webhook_is_told_where_it_is(
    http: httpx2.AsyncClient, control: MemoryStore, webhook: dict[str, Any], pointer: str
) -> None:
    answer = await submit(http, **webhook)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert control.written == []


async def test_a_disabled_receiver_is_warned_of(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    target = Target(url=URL, events=["job.held"])
    await disable(control, "t", Disabled(target=target.hash, host="hooks.example.com", at=NOW, event=EVENT))
    answer = (await submit(http)).json()
    assert any("410" in warning for warning in answer["warnings"])
    assert "very-secret" not in str(answer)


async def test_a_webhook_can_be_changed_and_removed(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    job = (await submit(http)).json()["id"]
    other = {"url": "https://other.example.com/", "events": ["job.held"]}
    answer = await http.patch(f"/v1/jobs/{job}", json={"webhook": other})
    assert answer.status_code == 202
    assert await target_of(control, "t", job) == Target(url="https://other.example.com/", events=["job.held"])
    assert (await http.patch(f"/v1/jobs/{job}", json={"webhook": None})).status_code == 202
    assert await target_of(control, "t", job) is None
    assert [(each, change.events) for each, change in engine.webhooks] == [(job, ["job.held"]), (job, [])]


async def test_a_webhook_of_a_job_that_has_ended_can_still_be_changed(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    job = (await submit(http)).json()["id"]
    engine.summaries[job].state = "completed"
    answer = await http.patch(f"/v1/jobs/{job}", json={"webhook": {"url": "https://other.example.com/"}})
    assert answer.status_code == 202
    assert (
        await target_of(control, "t", job) or Target(url="", events=[])
    ).url == "https://other.example.com/"


async def test_a_patch_that_can_not_be_changes_nothing(
    http: httpx2.AsyncClient, control: MemoryStore
) -> None:
    job = (await submit(http)).json()["id"]
    for body in ({"webhook": {"url": "http://127.0.0.1/"}}, {}):
        assert (await http.patch(f"/v1/jobs/{job}", json=body)).status_code == 422
    assert (await http.patch(f"/v1/jobs/{JOB}", json={"webhook": None})).status_code == 404
    assert (await target_of(control, "t", job) or Target(url="", events=[])).url == URL


async def test_the_hosts_of_a_tenant_are_asked_for(http: httpx2.AsyncClient, parts: Context) -> None:
    async def nobody(tenant: str, host: str) -> bool:
        return False

    object.__setattr__(parts.targets, "may_call", nobody)
    answer = await submit(http)
    assert answer.status_code == 422
    assert "hooks.example.com" in answer.text


# --- the log -------------------------------------------------------------------------------------


async def test_deliveries_are_listed_and_shown(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    await log_one(control)
    page = (await http.get("/v1/webhooks/deliveries", params={"job": JOB, "state": "failed"})).json()
    assert [each["id"] for each in page["data"]] == [EVENT]
    assert page["has_more"] is False
    one = (await http.get(f"/v1/webhooks/deliveries/{EVENT}")).json()
    assert one["event"] == {"type": "job.held"}
    assert one["attempts"][0]["status"] == 500
    assert (await http.get("/v1/webhooks/deliveries", params={"state": "delivered"})).json()["data"] == []


async def test_another_tenants_events_are_not_there(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    await log_one(control, "other")
    assert (await http.get("/v1/webhooks/deliveries")).json()["data"] == []
    assert (await http.get(f"/v1/webhooks/deliveries/{EVENT}")).status_code == 404
    assert (await http.post(f"/v1/webhooks/deliveries/{EVENT}/redeliver")).status_code == 404
    assert engine.deliveries == []


@pytest.mark.parametrize("query", [{"job": "../x"}, {"after": "../x"}, {"state": "lost"}, {"limit": 0}])
async def test_a_query_that_makes_no_sense_is_refused(
    http: httpx2.AsyncClient, query: dict[str, Any]
) -> None:
    assert (await http.get("/v1/webhooks/deliveries", params=query)).status_code == 422


async def test_a_redelivery_is_a_new_run_of_the_same_event(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    await log_one(control)
    answer = await http.post(f"/v1/webhooks/deliveries/{EVENT}/redeliver")
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    ((start, again),) = engine.deliveries
    assert (start.event, start.insists, again) == (EVENT, True, True)


async def test_disabled_receivers_are_listed_without_their_addresses(
    http: httpx2.AsyncClient, control: MemoryStore
) -> None:
    for n in range(3):
        target = Target(url=f"{URL}&n={n}", events=["job.held"])
        await disable(control, "t", Disabled(target=target.hash, host="h", at=NOW, event=EVENT))
    first = (await http.get("/v1/webhooks/targets/disabled", params={"limit": 2})).json()
    after = {"after": first["last"]}
    second = (await http.get("/v1/webhooks/targets/disabled", params=after)).json()
    assert (len(first["data"]), first["has_more"], len(second["data"])) == (2, True, 1)
    assert "very-secret" not in str(first)


# --- secrets -------------------------------------------------------------------------------------


async def test_a_secret_is_made_once_and_rotated(http: httpx2.AsyncClient) -> None:
    first = (await http.get("/v1/webhooks/secret")).json()
    assert (await http.get("/v1/webhooks/secret")).json() == first
    own = "whsec_" + base64.b64encode(b"y" * 32).decode()
    body = {"secret": own, "keep_old_hours": 2}
    rotated = (await http.post("/v1/webhooks/secret/rotate", json=body)).json()
    assert rotated["secret"] == own
    (until,) = rotated["old_expire_at"]
    left = datetime.fromisoformat(until) - datetime.now(UTC)
    assert timedelta(hours=1) < left <= timedelta(hours=2)
    for _ in range(3):
        assert (await http.post("/v1/webhooks/secret/rotate", json={})).status_code == 200
    refused = await http.post("/v1/webhooks/secret/rotate", json={})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/too-many-secrets")


@pytest.mark.parametrize("body", [{"secret": "mine"}, {"keep_old_hours": -1}, {"keep_old_hours": 10**6}])
async def test_a_rotation_that_can_not_be_is_refused(http: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    answer = await http.post("/v1/webhooks/secret/rotate", json=body)
    assert answer.status_code == 422
