"""An item that kills whoever buys it, among others that don't."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Json, Prompts, Service, check_pictures

INNOCENTS = 24
POISON = "A vase full of poison"


@pytest.fixture
async def fragile(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[Service]:
    """A stack whose worker has four calls under way at once."""
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("poison"),
        speed=0.04,
        extra_env=QUICK | {"IMAGEMILL_WORK_IMAGES_AT_ONCE": "4", "IMAGEMILL_TIMES_CALL_DEADLINE": "4"},
    )
    async with LocalStack(options) as stack:
        yield Service(stack, http)


async def kill_its_buyers(service: Service) -> None:
    """Each time that the item was sent, its worker dies before it has the answer."""
    calls = 0
    while True:
        ledger = await service.ledger(POISON)
        if sum(ledger["calls"].values()) > calls:
            calls += 1
            await service.stack.kill("worker-1")
            await service.stack.start_part("worker-1")
        await asyncio.sleep(0.05)


async def test_a_poison_item_is_isolated_and_its_neighbours_are_not_blamed(fragile: Service) -> None:
    prompts: Prompts = {(f"good-{n}", None): f"A vase, number {n}" for n in range(INNOCENTS)}
    items: list[Json] = [{"custom_id": key[0], "prompt": prompt} for key, prompt in prompts.items()]
    items.insert(6, {"custom_id": "poison", "prompt": POISON})
    # It takes its time, so that its worker can die of it.
    async with fragile.faults({"kind": "delay", "match": POISON, "seconds": 1.5}):
        job = await fragile.submit(items=items)
        killer = asyncio.create_task(kill_its_buyers(fragile))
        status = await fragile.finished(job, 180)
        killer.cancel()
    results = {result["custom_id"]: result for result in await fragile.results(job)}
    poison = results.pop("poison")

    assert status["state"] == "completed_with_errors"
    assert (poison["state"], poison["error"]["code"]) == ("failed", "unknown_outcome")
    assert [attempt["code"] for attempt in poison["attempts"]] == ["worker_lost"] * 3
    assert {result["state"] for result in results.values()} == {"succeeded"}
    lost = [len(result["attempts"]) - 1 for result in results.values()]
    assert max(lost) <= 1  # only who was beside it at its first call; after that it was alone
    assert sum(lost) <= 3
    await check_pictures(fragile, list(results.values()), prompts)
