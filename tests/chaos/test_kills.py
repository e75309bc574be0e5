"""Random parts are killed at random moments of a job, and come back after random times."""

import asyncio
import random
from pathlib import Path

import httpx2

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Prompts, Service, check_pictures, nano

ITEMS = 80
PARTS = ("worker-1", "worker-2", "api", "temporal", "store")
ENGINE_AWAY = 30.0


def options(folder: Path) -> StackOptions:
    return StackOptions(
        data_dir=folder, workers=2, speed=0.05, extra_env=QUICK | {"IMAGEMILL_WORK_IMAGES_AT_ONCE": "4"}
    )


async def submit(service: Service, word: str) -> tuple[str, Prompts]:
    prompts: Prompts = {(f"{word}-{n}", None): f"A clock, {word} {n}" for n in range(ITEMS)}
    items = [{"custom_id": key[0], "prompt": prompt} for key, prompt in prompts.items()]
    return await service.submit(items=items), prompts


async def check_books(service: Service, job: str, prompts: Prompts) -> None:
    """Every item has its end, every image its prompt, and the bill lies between the books' two sums."""
    status = await service.finished(job, seconds=240)
    results = await service.results(job)
    ledger = await service.ledger(*prompts.values())
    settled, written_off = nano(status["cost"]["settled_usd"]), nano(status["cost"]["written_off_usd"])
    calls = sum(len(result["attempts"]) for result in results)

    assert status["state"] in ("completed", "completed_with_errors"), status
    assert {(result["custom_id"], result["variant"]) for result in results} == set(prompts)
    assert all(result["state"] in ("succeeded", "failed") for result in results)
    assert all(
        result["state"] == "succeeded" or result["error"]["code"] == "unknown_outcome" for result in results
    )
    assert settled <= ledger["nano"] <= settled + written_off
    assert sum(ledger["calls"].values()) <= calls
    await check_pictures(service, results, prompts)


async def test_whatever_is_killed_the_job_ends_and_the_books_hold(
    seed: int, tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    chance = random.Random(seed)
    async with LocalStack(options(tmp_path)) as stack:
        service = Service(stack, http)
        job, prompts = await submit(service, f"seed {seed}")
        await service.until(job, lambda status: status["items"]["succeeded"] > 0)
        for _ in range(4):
            part = chance.choice(PARTS)
            await asyncio.sleep(chance.uniform(0.1, 2.0))
            await stack.kill(part)
            await asyncio.sleep(chance.uniform(0.0, 3.0))
            await stack.start_part(part)
        await check_books(service, job, prompts)


async def test_the_engine_may_be_away_for_half_a_minute(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    async with LocalStack(options(tmp_path)) as stack:
        service = Service(stack, http)
        job, prompts = await submit(service, "engine")
        await service.until(job, lambda status: status["items"]["succeeded"] > 0)
        await stack.kill("temporal")
        await asyncio.sleep(ENGINE_AWAY)
        await stack.start_part("temporal")
        await check_books(service, job, prompts)
