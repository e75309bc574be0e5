"""The engine hears of a paid call as often as the settings say."""

import asyncio
from itertools import pairwise

from temporalio.client import Client

from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Service

SECONDS = 6


async def test_a_long_call_beats_at_the_interval_of_the_settings(service: Service) -> None:
    interval = float(QUICK["IMAGEMILL_TIMES_HEARTBEAT_INTERVAL"])
    client = await Client.connect(str(service.stack.addresses.temporal))
    heard: set[float] = set()
    async with service.faults({"kind": "delay", "match": "long call", "seconds": SECONDS}):
        job = await service.submit(items=[{"custom_id": "long", "prompt": "A clock of a long call"}])
        alone = client.get_workflow_handle(job)
        await service.until(job, lambda status: status["items"]["running"] == 1)
        while pending := (await alone.describe()).raw_description.pending_activities:
            heard |= {
                each.last_heartbeat_time.ToDatetime().timestamp()
                for each in pending
                if each.HasField("last_heartbeat_time")
            }
            await asyncio.sleep(interval / 10)
    status = await service.finished(job)

    assert status["cost"]["written_off_usd"] in ("0", "0.00")
    gaps = [later - earlier for earlier, later in pairwise(sorted(heard))]
    assert gaps
    assert min(gaps) < 2 * interval
