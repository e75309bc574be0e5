"""Whatever is killed in mid-job: no item is lost, and the books hold the provider's bill between them."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Json, Prompts, Service, check_pictures, nano

ITEMS = 60


@pytest.fixture(scope="module")
async def slow(tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient) -> AsyncIterator[Service]:
    """A stack whose calls take half a second, so that some are under way whenever something is killed."""
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("kills"),
        speed=0.04,
        extra_env=QUICK | {"IMAGEMILL_WORK_IMAGES_AT_ONCE": "8"},
    )
    async with LocalStack(options) as stack:
        yield Service(stack, http)


def catalog(word: str) -> tuple[Prompts, list[Json]]:
    prompts: Prompts = {(f"{word}-{n}", None): f"A vase, {word} {n}" for n in range(ITEMS)}
    return prompts, [{"custom_id": key[0], "prompt": prompt} for key, prompt in prompts.items()]


async def under_way(service: Service, job: str) -> None:
    """Until some items are done and more are running."""
    await service.until(job, lambda status: status["items"]["succeeded"] >= 5)


async def check_books(service: Service, job: str, prompts: Prompts) -> Json:
    """Every item has its end and its picture, and settled <= ledger <= settled + written off."""
    status = await service.finished(job)
    results = await service.results(job)
    ledger = await service.ledger(*prompts.values())
    settled, written_off = nano(status["cost"]["settled_usd"]), nano(status["cost"]["written_off_usd"])

    assert status["state"] == "completed", status
    assert {(result["custom_id"], result["variant"]) for result in results} == set(prompts)
    assert settled <= ledger["nano"] <= settled + written_off
    lost = sum(attempt["outcome"] == "written_off" for result in results for attempt in result["attempts"])
    assert sum(ledger["calls"].values()) <= ITEMS + lost
    await check_pictures(service, results, prompts)
    return status


async def test_a_killed_worker_loses_no_item_and_no_stored_image_is_bought_again(slow: Service) -> None:
    prompts, items = catalog("worker")
    job = await slow.submit(items=items)
    await under_way(slow, job)
    kept = {result["custom_id"] for result in await slow.results(job)}
    await slow.stack.kill("worker-1")
    await slow.stack.start_part("worker-1")

    status = await check_books(slow, job, prompts)

    ledger = await slow.ledger(*[prompts[name, None] for name in kept])
    assert set(ledger["calls"].values()) == {1}
    assert nano(status["cost"]["written_off_usd"]) > 0


async def test_a_killed_api_loses_nothing_and_answers_the_same_key_with_the_same_job(slow: Service) -> None:
    prompts, items = catalog("api")
    submission = {
        "items": items,
        "budget": {"limit_usd": "9.00"},
        "defaults": {"model": "gpt-image-2.5-flare", "size": "816x816", "quality": "low"},
    }
    key = {"Idempotency-Key": "kill-the-api"}
    job = (await slow.ask("POST", "/v1/jobs", json=submission, headers=key)).json()["id"]
    await under_way(slow, job)
    await slow.stack.kill("api")
    await slow.stack.start_part("api")
    again = await slow.ask("POST", "/v1/jobs", json=submission, headers=key)

    status = await check_books(slow, job, prompts)

    assert again.status_code == 200
    assert again.json()["id"] == job
    assert nano(status["cost"]["written_off_usd"]) == 0


async def test_a_hundred_duplicates_while_the_api_is_killed_are_one_job(slow: Service) -> None:
    """Each client asks until it is answered, as SDKs do; some were never answered by the first process."""
    prompt = "A vase, duplicates"
    body = {
        "items": [{"custom_id": "only", "prompt": prompt}],
        "budget": {"limit_usd": "1.00"},
        "defaults": {"model": "gpt-image-2.5-flare", "size": "816x816", "quality": "low"},
    }
    answered = asyncio.Event()

    async def client() -> str:
        async with asyncio.timeout(60):
            while True:
                try:
                    key = {"Idempotency-Key": "killed-meanwhile"}
                    answer = await slow.ask("POST", "/v1/jobs", json=body, headers=key)
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)
                    continue
                if answer.status_code in (200, 202):
                    answered.set()
                    return str(answer.json()["id"])
                assert answer.status_code == 503, answer.text

    clients = [asyncio.create_task(client()) for _ in range(100)]
    await answered.wait()
    await slow.stack.kill("api")
    await slow.stack.start_part("api")
    (job,) = set(await asyncio.gather(*clients))

    assert (await slow.finished(job))["state"] == "completed"
    assert sum((await slow.ledger(prompt))["calls"].values()) == 1


async def test_a_killed_engine_loses_nothing(slow: Service) -> None:
    prompts, items = catalog("engine")
    job = await slow.submit(items=items)
    await under_way(slow, job)
    await slow.stack.kill("temporal")
    await slow.stack.start_part("temporal")

    await check_books(slow, job, prompts)


async def test_a_killed_store_loses_nothing_and_costs_nothing(slow: Service) -> None:
    prompts, items = catalog("store")
    job = await slow.submit(items=items)
    await under_way(slow, job)
    await slow.stack.kill("store")
    await slow.stack.start_part("store")

    status = await check_books(slow, job, prompts)

    assert nano(status["cost"]["written_off_usd"]) == 0


async def test_a_worker_that_is_told_to_stop_finishes_its_calls(slow: Service) -> None:
    prompts, items = catalog("rolling")
    job = await slow.submit(items=items)
    await under_way(slow, job)
    await asyncio.wait_for(slow.stack.restart("worker-1"), 30)

    status = await check_books(slow, job, prompts)

    assert nano(status["cost"]["written_off_usd"]) == 0
