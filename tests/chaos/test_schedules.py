"""Every time of a schedule is one run, one job and one bill, however often it is asked for."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import httpx2

from sandbox.stack import LocalStack
from tests.acceptance.service import SMALL, Json, Service, nano
from tests.chaos.test_money import options

PARTS = ("worker-1", "worker-2", "api", "temporal")
DAYS = 8
MONTH_USD = "0.06"
"""Too little for all of them."""
DONE = ("completed", "completed_with_errors")
FIXED = "A logo, the same in every run of {}"


async def patiently(ask: Callable[[], Awaitable[httpx2.Response]]) -> Json:
    """The answer, once there is one: the API or what is behind it may be away."""
    async with asyncio.timeout(60):
        while True:
            with suppress(httpx2.TransportError):
                answer = await ask()
                if answer.status_code < 500:
                    assert answer.status_code < 400, answer.text
                    found: Json = answer.json()
                    return found
            await asyncio.sleep(0.2)


async def made(service: Service, word: str) -> str:
    items = [
        {"custom_id": "banner", "prompt": f"A banner {word} for {{{{ run.date }}}} {{{{ run.time }}}}"},
        {"custom_id": "logo", "prompt": FIXED.format(word)},
    ]
    body = {
        "name": word,
        "spec": {"cron": ["30 6 * * *"]},
        "overlap": "allow_all",
        "budget": {"month_usd": MONTH_USD},
        "job": {"defaults": SMALL, "items": items, "budget": {"limit_usd": "1.00"}, "reuse": "schedule"},
    }
    key = {"Idempotency-Key": word}
    found = await patiently(lambda: service.ask("POST", "/v1/schedules", json=body, headers=key))
    return f"/v1/schedules/{found['id']}"


async def backfills(service: Service, where: str, chance: random.Random) -> None:
    """Ranges that overlap, and together hold all days."""
    spans = [(1, DAYS)] + [sorted(chance.sample(range(1, DAYS + 1), 2)) for _ in range(4)]
    chance.shuffle(spans)
    for first, last in spans:
        span = {"start": f"2026-03-{first:02}T00:00:00Z", "end": f"2026-03-{last:02}T23:00:00Z"}
        await patiently(lambda span=span: service.ask("POST", f"{where}/backfill", json=span))  # type: ignore[misc]
        await asyncio.sleep(chance.uniform(0.0, 1.5))


async def killing(stack: LocalStack, chance: random.Random) -> None:
    for _ in range(5):
        await asyncio.sleep(chance.uniform(0.0, 1.5))
        part = chance.choice(PARTS)
        await stack.kill(part)
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        await stack.start_part(part)


async def runs_in(service: Service, where: str, *states: str, least: int = DAYS) -> list[Json]:
    """All runs, once there are as many as there are days and all stand still."""
    async with asyncio.timeout(180):
        while True:
            page = await patiently(lambda: service.ask("GET", f"{where}/runs?limit=100"))
            listed: list[Json] = page["data"]
            if len(listed) >= least and all(run["state"] in states for run in listed):
                return listed
            await asyncio.sleep(0.3)


async def check_times(service: Service, where: str, listed: list[Json], prompts: list[str]) -> None:
    """One run, number and job a time, and the schedule's account between what was billed and written off."""
    times = sorted(run["at"] for run in listed)
    assert times == [f"2026-03-{day:02}T06:30:00Z" for day in range(1, DAYS + 1)]
    assert sorted(run["number"] for run in listed) == list(range(1, DAYS + 1))
    assert len({run["job"] for run in listed}) == DAYS
    costs = [(await service.status(run["job"]))["cost"] for run in listed]
    written_off = sum(nano(cost["written_off_usd"]) for cost in costs)
    billed = (await service.ledger(*prompts))["nano"]
    spent = nano((await patiently(lambda: service.ask("GET", where)))["budget"]["spent_usd"])
    assert spent - written_off <= billed <= spent


async def test_each_time_is_one_job_under_the_months_cap(
    seed: int, tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    chance, word = random.Random(seed), f"seed-{seed}"
    banners = [f"A banner {word} for 2026-03-{day:02} 06:30" for day in range(1, DAYS + 1)]
    logo = FIXED.format(word)
    async with LocalStack(options(tmp_path)) as stack:
        service = Service(stack, http)
        where = await made(service, word)
        await asyncio.gather(killing(stack, chance), backfills(service, where, chance))
        await runs_in(service, where, "held", *DONE)
        assert (await service.ledger(*banners, logo))["nano"] <= nano(MONTH_USD)
        more = {"budget": {"month_usd": "100.00"}}
        await patiently(lambda: service.ask("PATCH", where, json=more))
        await check_times(service, where, await runs_in(service, where, *DONE), [*banners, logo])

        before = (await service.ledger(logo))["nano"]
        await patiently(lambda: service.ask("POST", f"{where}/trigger"))
        await runs_in(service, where, *DONE, least=DAYS + 1)
        assert (await service.ledger(logo))["nano"] == before, "what was drawn is not bought again"
