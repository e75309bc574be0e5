"""Parts are told to stop in mid-job, one after the other or all at once: nothing is written off for it."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Json, Service, check_pictures, nano

WORKERS = ("worker-1", "worker-2")
GRACE = 60.0
"""Seconds: more than a call may take."""


@dataclass
class Rolled:
    """A stack, and what its workers are started with from now on."""

    service: Service
    settings: dict[str, str]


@pytest.fixture(scope="module")
async def rolled(tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient) -> AsyncIterator[Rolled]:
    """Two workers, whose calls take seconds."""
    settings: dict[str, str] = {}
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("rolling"),
        workers=len(WORKERS),
        speed=0.12,
        extra_env=QUICK | {"IMAGEMILL_WORK_IMAGES_AT_ONCE": "4", "IMAGEMILL_TIMES_CALL_DEADLINE": "30"},
        part_env=dict.fromkeys(WORKERS, settings),
        start_timeout=90,
        stop_grace=GRACE,
    )
    async with LocalStack(options) as stack:
        yield Rolled(Service(stack, http), settings)


def prompts_of(word: str, count: int) -> dict[tuple[str, str | None], str]:
    return {(f"{word}-{n}", None): f"A bowl, {word} {n}" for n in range(count)}


async def submit(service: Service, prompts: dict[tuple[str, str | None], str]) -> str:
    return await service.submit(
        items=[{"custom_id": key[0], "prompt": prompt} for key, prompt in prompts.items()]
    )


async def under_way(service: Service, prompts: dict[tuple[str, str | None], str]) -> None:
    """Until the provider has begun a call; what it has begun takes more than a second."""
    async with asyncio.timeout(60):
        while True:
            if (await service.ledger(*prompts.values()))["calls"]:
                return
            await asyncio.sleep(0.05)


async def check(service: Service, job: str, prompts: dict[tuple[str, str | None], str]) -> Json:
    """All bought once, settled to the last, and nothing written off."""
    status = await service.finished(job)
    ledger = await service.ledger(*prompts.values())
    assert status["state"] == "completed", status
    assert list(ledger["calls"].values()) == [1] * len(prompts)
    assert nano(status["cost"]["written_off_usd"]) == 0
    assert nano(status["cost"]["settled_usd"]) == ledger["nano"]
    await check_pictures(service, await service.results(job), prompts)
    return status


async def test_a_rolling_restart_under_load_writes_nothing_off(rolled: Rolled) -> None:
    """Each worker in turn, the API, and all workers at once; each while calls are under way."""
    service, jobs = rolled.service, {}
    for step, parts in enumerate([("worker-1",), ("worker-2",), ("api",), WORKERS]):
        prompts = prompts_of(f"rolling {step}", 20)
        job = await submit(service, prompts)
        jobs[job] = prompts
        await under_way(service, prompts)
        await asyncio.gather(*(service.stack.restart(part) for part in parts))

    for job, prompts in jobs.items():
        await check(service, job, prompts)


async def test_a_worker_that_is_told_to_stop_stores_what_it_has_paid_for_once_the_store_is_back(
    rolled: Rolled,
) -> None:
    service, prompts = rolled.service, prompts_of("stored", 40)
    job = await submit(service, prompts)
    await under_way(service, prompts)
    before = paid_and_waiting(service)
    await service.stack.kill("store")
    await service.until(job, lambda _: paid_and_waiting(service) > before, 60)

    stopping = asyncio.gather(*(service.stack.stop_part(worker) for worker in WORKERS))
    await service.stack.start_part("store")
    await stopping
    await asyncio.gather(*(service.stack.start_part(worker) for worker in WORKERS))

    await check(service, job, prompts)


def paid_and_waiting(service: Service) -> int:
    """How often a worker has said that a paid image waits."""
    return sum(service.stack.log(worker).read_text().count("paid images wait") for worker in WORKERS)


async def test_a_worker_that_is_told_to_stop_sends_nothing_that_waits_at_the_gate(rolled: Rolled) -> None:
    """One image in three seconds by each: whoever waits for its turn gives its place up, and is not late."""
    service, prompts = rolled.service, prompts_of("gate", 8)
    rolled.settings["IMAGEMILL_PROVIDER_IMAGES_PER_MINUTE"] = "40"
    await asyncio.gather(*(service.stack.restart(worker) for worker in WORKERS))
    job = await submit(service, prompts)
    await service.until(job, lambda status: status["items"]["succeeded"] >= 1)

    began = time.monotonic()
    await asyncio.gather(*(service.stack.stop_part(worker) for worker in WORKERS))
    assert time.monotonic() - began < GRACE / 2
    assert sum((await service.ledger(*prompts.values()))["calls"].values()) < len(prompts)
    rolled.settings["IMAGEMILL_PROVIDER_IMAGES_PER_MINUTE"] = "unlimited"
    await asyncio.gather(*(service.stack.start_part(worker) for worker in WORKERS))

    await check(service, job, prompts)
