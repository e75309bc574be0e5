"""The system page: trouble in words, and others' load for nobody but the operator."""

from datetime import UTC, datetime, timedelta

from imagemill.domain.pace import Pace, Trouble
from imagemill.ports import Poller, QueueState
from tests.fakes.engine import MemoryEngine
from tests.unit.dashboard.browser import Browser

GROUP, QUEUE = "pool/default/default", "images.default.default"


async def test_a_tenant_sees_its_pools_and_their_trouble_in_words(
    browser: Browser, engine: MemoryEngine
) -> None:
    now = datetime.now(UTC)
    trouble = Trouble(
        code="invalid_api_key", since=now - timedelta(hours=3), next_probe=now + timedelta(minutes=9), wait=60
    )
    engine.paces[GROUP] = Pace(images_per_minute=30, trouble=trouble)
    page = (await browser.get("/system")).text

    assert "The provider refuses the API key." in page
    assert "3 hours ago" in page
    assert "30 images a minute" in page
    assert "Queues" not in page


async def test_the_operator_sees_workers_and_queues(operator: Browser, engine: MemoryEngine) -> None:
    pollers = [Poller("7@<i>host</i>", datetime.now(UTC))]
    engine.queues[QUEUE, "activity"] = QueueState(QUEUE, "activity", backlog=1234, pollers=pollers)
    page = (await operator.get("/system")).text

    assert "7@&lt;i&gt;host" in page
    assert "1,234" in page
    assert "No worker is alive" not in page


async def test_no_worker_is_told_as_trouble(operator: Browser) -> None:
    assert "No worker is alive" in (await operator.get("/system")).text


async def test_an_engine_that_is_away_is_told(browser: Browser, engine: MemoryEngine) -> None:
    engine.reachable = False
    page = await browser.get("/system")

    assert page.status_code == 200
    assert "The engine does not answer." in page.text
