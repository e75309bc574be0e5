"""The points at which processes kill or stop themselves under test: a normal job still comes to each."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.service import Json, Prompts, Service, check_pictures
from tests.chaos.programs import points, programs
from tests.chaos.quick import QUICK
from tests.fakes.receiver import receiver, says

LOCAL = {"IMAGEMILL_WEBHOOKS_ALLOW_HTTP": "true", "IMAGEMILL_WEBHOOKS_ALLOW_PRIVATE": "true"}
CHUNK_ITEMS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("points")


@pytest.fixture(scope="module")
async def mill(folder: Path, http: httpx2.AsyncClient) -> AsyncIterator[Service]:
    """A stack whose worker and API have points; a chunk has two items."""
    options = StackOptions(
        data_dir=folder / "stack",
        speed=0.0,
        extra_env=QUICK | LOCAL,
        programs=programs(folder, chunk_items=CHUNK_ITEMS),
        stop_on_death=False,
    )
    async with LocalStack(options) as stack:
        yield Service(stack, http)


def items_of(word: str) -> list[Json]:
    """Three items in two chunks, and one of them of two images."""
    items = [{"custom_id": f"{word}-{n}", "prompt": f"A lamp, {word} {n}"} for n in range(3)]
    return [*items[:2], items[2] | {"n": 2}]


def prompts_of(items: list[Json]) -> Prompts:
    return {(item["custom_id"], None): item["prompt"] for item in items}


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


async def test_a_normal_job_comes_to_every_point(mill: Service, folder: Path) -> None:
    async with receiver(says(200)) as there:
        once = {"Idempotency-Key": "points"}
        body = {
            "defaults": {"model": "gpt-image-2.5-flare", "size": "816x816", "quality": "low"},
            "budget": {"limit_usd": "9.00"},
            "items": items_of("normal"),
            "webhook": {"url": there.url},
        }
        answer = await mill.ask("POST", "/v1/jobs", json=body, headers=once)
        assert answer.status_code == 202, answer.text
        status = await mill.finished(answer.json()["id"])
        await mill.all_told()
        await until(lambda: points.reached(folder, "worker-1") == set(points.WORKER_POINTS))
    assert status["state"] == "completed"
    assert points.reached(folder, "api") == set(points.API_POINTS)


async def test_a_worker_kills_itself_at_the_visit_that_it_was_told_and_only_once(
    mill: Service, folder: Path
) -> None:
    items, pid = items_of("kill")[:2], mill.stack.pid("worker-1")
    points.arm(folder, "worker-1", "after-put", visit=2)
    job = await mill.submit(items=items)
    await until(lambda: points.fired_at(folder, "worker-1"))
    await until(lambda: not mill.stack.is_running("worker-1"))
    await mill.stack.start_part("worker-1")
    assert (await mill.finished(job))["state"] == "completed"
    assert mill.stack.pid("worker-1") != pid
    results = await mill.results(job)
    outcomes = [attempt["outcome"] for result in results for attempt in result["attempts"]]
    assert "recovered" in outcomes, "it was killed with an image stored and not told of"
    await check_pictures(mill, results, prompts_of(items))


async def test_an_api_stops_itself_and_goes_on_when_it_is_let(mill: Service, folder: Path) -> None:
    points.arm(folder, "api", "api-before-answer", action="stop")
    submitting = asyncio.create_task(mill.submit(items=items_of("stop")))
    await until(lambda: points.fired_at(folder, "api"))
    state = (Path("/proc") / str(mill.stack.pid("api")) / "stat").read_text().rpartition(")")[2].split()[0]
    assert state == "T"
    assert not submitting.done()
    os.kill(mill.stack.pid("api"), signal.SIGCONT)
    assert (await mill.finished(await submitting))["state"] == "completed"
