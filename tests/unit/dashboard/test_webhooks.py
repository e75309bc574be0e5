"""The pages of webhooks: what became of events, and who may send one again."""

from datetime import UTC, datetime

import pytest

from imagemill.webhook_log import Delivery, LoggedAttempt, WebhookLog
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.dashboard.browser import Browser
from tests.unit.dashboard.conftest import KEYS

EVENT, JOB = "evt_" + "1" * 32, "job_" + "1" * 26
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def delivery(control: MemoryStore) -> None:
    found = Delivery(
        event=EVENT,
        job=JOB,
        type="job.completed",
        host="hooks.<b>evil</b>.example",
        created_at=NOW,
        state="failed",
        attempts=[
            LoggedAttempt(at=NOW, seconds=0.1, status=500),
            LoggedAttempt(at=NOW.replace(hour=13), seconds=5, problem="unreachable"),
        ],
    )
    await WebhookLog(control, "t").open(found, b'{"type": "<script>"}')


async def test_events_are_listed_with_what_became_of_them(browser: Browser) -> None:
    page = (await browser.get("/webhooks")).text

    assert EVENT in page
    assert "could not be reached" in page
    assert "<b>evil" not in page
    assert "No event like that" in (await browser.get("/webhooks?state=delivered")).text
    assert EVENT in (await browser.get(f"/webhooks?state=failed&job={JOB}")).text


async def test_an_event_shows_its_body_as_text_and_every_attempt(browser: Browser) -> None:
    page = (await browser.get(f"/webhooks/{EVENT}")).text

    assert "&lt;script&gt;" in page
    assert "answered 500" in page


async def test_an_event_can_be_sent_again(browser: Browser, engine: MemoryEngine) -> None:
    answer = await browser.send(f"/webhooks/{EVENT}/redeliver")

    assert (answer.status_code, answer.headers["location"]) == (303, f"/webhooks/{EVENT}")
    ((start, again),) = engine.deliveries
    assert (start.event, again) == (EVENT, True)


async def test_who_may_only_look_sees_no_button_and_is_refused(reader: Browser, engine: MemoryEngine) -> None:
    assert "redeliver" not in (await reader.get("/webhooks")).text
    assert (await reader.send(f"/webhooks/{EVENT}/redeliver")).status_code == 403
    assert not engine.deliveries


async def test_another_tenant_sees_nothing(stranger: Browser, engine: MemoryEngine) -> None:
    await stranger.log_in(KEYS["other"])

    assert EVENT not in (await stranger.get("/webhooks")).text
    assert (await stranger.get(f"/webhooks/{EVENT}")).status_code == 404
    assert (await stranger.send(f"/webhooks/{EVENT}/redeliver")).status_code == 404
    assert not engine.deliveries


async def test_the_secret_is_for_who_administers(browser: Browser, app: object) -> None:
    assert (await browser.get("/webhooks/secret")).status_code == 403
    assert (await browser.send("/webhooks/secret", {"keep_old_hours": "1"})).status_code == 403


async def test_the_secret_can_be_changed(stranger: Browser) -> None:
    await stranger.log_in(KEYS["admins"])
    before = (await stranger.get("/webhooks/secret")).text
    answer = await stranger.send("/webhooks/secret", {"keep_old_hours": "1"})
    after = (await stranger.get("/webhooks/secret")).text

    assert answer.status_code == 303
    assert "whsec_" in before
    assert "An older one signs too" not in before
    assert "An older one signs too" in after
