"""The engine is away for a while: what users meet meanwhile, and what has become of it afterwards."""

import asyncio

import httpx2

from tests.acceptance.service import Prompts, Service, check_pictures, nano
from tests.fakes.receiver import Receiver, receiver, says


async def go_through(service: Service, count: int, begun: int, seconds: float, patience: float) -> None:
    """A job of so many items; once some are done, the engine is away for some seconds. Nothing is lost."""
    prompts = prompts_of("outage", count)
    async with receiver(says(200)) as there:
        job = await submit(service, prompts, there)
        await service.until(job, lambda status: status["items"]["succeeded"] >= begun)
        await away(service, job, seconds)
        await check(service, job, prompts, there, patience)


def prompts_of(word: str, count: int) -> Prompts:
    return {(f"{word}-{n}", None): f"A clock, {word} {n}" for n in range(count)}


async def submit(service: Service, prompts: Prompts, there: Receiver) -> str:
    items = [{"custom_id": key[0], "prompt": prompt} for key, prompt in prompts.items()]
    url = f"http://127.0.0.1:{there.port}/hook"
    return await service.submit(items=items, webhook={"url": url, "events": ["job.completed"]})


async def away(service: Service, job: str, seconds: float) -> None:
    """Stop the engine for so long; every answer meanwhile is an honest one."""
    await service.stack.stop_part("temporal")
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        await honest(service, "GET", f"/v1/jobs/{job}")
        await honest(service, "POST", f"/v1/jobs/{job}/cancel")  # not taken, so not done later either
        ready = await service.ask("GET", "/readyz", timeout=30)
        assert (ready.status_code, ready.json()["engine"]) == (503, "away")
        await asyncio.sleep(seconds / 20)
    assert (await service.ask("GET", "/healthz")).status_code == 200
    await service.stack.start_part("temporal")


async def honest(service: Service, method: str, path: str) -> httpx2.Response:
    """503, and when to come again; nothing that reads like an answer about the job."""
    answer = await service.ask(method, path, timeout=60)
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == "/problems/unavailable"
    assert int(answer.headers["retry-after"]) > 0
    return answer


async def check(service: Service, job: str, prompts: Prompts, there: Receiver, seconds: float) -> None:
    """What was bought meanwhile was stored, and found: nothing is bought twice, nothing stays written off."""
    status = await service.finished(job, seconds)
    results = await service.results(job)
    ledger = await service.ledger(*prompts.values())
    assert status["state"] == "completed", status
    assert list(ledger["calls"].values()) == [1] * len(prompts)
    assert nano(status["cost"]["settled_usd"]) == ledger["nano"]
    assert nano(status["cost"]["written_off_usd"]) == 0
    await check_pictures(service, results, prompts)
    await service.until(job, lambda _: bool(there.received), 60)
    assert len({headers["webhook-id"] for headers, _ in there.received}) == 1
