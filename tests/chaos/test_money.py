"""Caps hold, and no book is behind the bill: at every moment, whatever fails and whatever is killed."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import httpx2
import pytest
from temporalio.client import Client

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.service import Json, Service, nano
from tests.chaos import catalog
from tests.chaos.books import check_books
from tests.chaos.ledger import Ledger, total
from tests.chaos.quick import QUICK
from tests.chaos.usd import usd
from tests.chaos.watch import Watch, has_ended, waits_for_its_cap
from tests.chaos.windows import Days, leases

WORKERS = ("worker-1", "worker-2")
JOBS = 10
RUNS_AT_ONCE = 3


def options(folder: Path, **extra: str) -> StackOptions:
    return StackOptions(data_dir=folder, workers=len(WORKERS), speed=0.02, extra_env=QUICK | extra)


async def kill_workers(stack: LocalStack, chance: random.Random, times: int) -> None:
    """Kill workers at random moments; each is back after a while."""
    for _ in range(times):
        await asyncio.sleep(chance.uniform(0.0, 2.5))
        worker = chance.choice(WORKERS)
        await stack.kill(worker)
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        await stack.start_part(worker)


def spent(said: Json) -> tuple[int, int]:
    """Settled and written off, in nano-dollars."""
    return nano(said["settled_usd"]), nano(said["written_off_usd"])


# --- one job -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def mill(tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient) -> AsyncIterator[Service]:
    """A stack for all seeds of a test: each has a job, prompts and faults of its own."""
    async with LocalStack(options(tmp_path_factory.mktemp("money"))) as stack:
        yield Service(stack, http)


async def see_it_end(watch: Watch, service: Service, chance: random.Random, most: int) -> None:
    """Follow a job to its end; where it is held for its cap, raise that or cancel, as chance has it."""
    raises = chance.random() < 0.7
    status = await watch.until(lambda status: has_ended(status) or waits_for_its_cap(status))
    if has_ended(status):
        return
    assert nano(status["hold"]["smallest_usd"]) > 0
    if raises:
        await watch.set_cap(most)
    else:
        assert (await service.ask("POST", f"/v1/jobs/{watch.job}/cancel")).status_code == 202
    await watch.until(has_ended)


async def test_money_one_job_stays_under_its_cap_and_ahead_of_the_bill(seed: int, mill: Service) -> None:
    chance, word, ledger = random.Random(seed), f"seed {seed},", Ledger(mill)
    items = catalog.items(chance, word, chance.randint(40, 80))
    estimate = (await mill.validate(items=items))["estimate"]
    cap = int(nano(estimate["expected_usd"]) * chance.uniform(0.25, 0.8))
    before = spent(await mill.all_told())
    async with mill.faults(*catalog.trouble(chance, word, most=0.06)):
        job = await mill.submit(
            items=items,
            budget={"limit_usd": usd(cap), "on_exhausted": chance.choice(("hold", "skip"))},
            on_unknown=chance.choice(("retry", "skip")),
        )
        watch = Watch(mill, ledger, job, items, cap)
        killer = asyncio.create_task(kill_workers(mill.stack, chance, chance.randint(1, 3)))
        try:
            await see_it_end(watch, mill, chance, 4 * nano(estimate["high_usd"]))
        finally:
            await killer
            await mill.ask("POST", f"/v1/jobs/{job}/cancel")

    status = await check_books(mill, ledger, job, items)
    watch.judge()
    assert watch.looks > 5
    after = await mill.all_told()
    own = spent(status["cost"])
    assert spent(after) == (before[0] + own[0], before[1] + own[1])
    assert [spent(known) for known in after["jobs"] if known["id"] == job] == [own]


# --- ten jobs ------------------------------------------------------------------------------------


class Tenant:
    """Ten jobs under one cap by day, and what happens to them."""

    def __init__(self, service: Service, chance: random.Random) -> None:
        self.service = service
        self.chance = chance
        self.ledger = Ledger(service)
        self.watches: list[Watch] = []
        self.dead: Watch | None = None
        self.expected = 0
        self._most: dict[str, int] = {}

    @property
    def living(self) -> list[Watch]:
        """All but the one whose workflow was terminated."""
        return [watch for watch in self.watches if watch is not self.dead]

    async def plan(self, word: str) -> list[tuple[list[Json], int, int]]:
        """The items of ten jobs, and what each costs as expected and at most."""
        plans = []
        for number in range(JOBS):
            count = self.chance.randint(8, 16)
            items = catalog.items(self.chance, f"{word} job {number},", count, catalog.SMALL)
            estimate = (await self.service.validate(items=items))["estimate"]
            plans.append((items, nano(estimate["expected_usd"]), nano(estimate["high_usd"])))
        self.expected = sum(expected for _, expected, _ in plans)
        return plans

    async def submit(self, items: list[Json], expected: int, most: int) -> None:
        """Submit one job, under a cap of its own that may bite as well."""
        cap = int(max(expected, most // 2) * self.chance.uniform(0.7, 1.5))
        job = await self.service.submit(
            items=items,
            budget={"limit_usd": usd(cap), "on_exhausted": self.chance.choice(("hold", "hold", "skip"))},
            on_unknown=self.chance.choice(("retry", "skip")),
        )
        self._most[job] = 4 * most
        self.watches.append(Watch(self.service, self.ledger, job, items, cap))

    async def keep_looking(self) -> None:
        """Hold one job after another against the bill."""
        for watch in cycle(self.watches):
            await watch.look()
            await asyncio.sleep(0.05)

    async def change_job_caps(self, times: int) -> None:
        """Raise and lower the caps of jobs that run."""
        for _ in range(times):
            await asyncio.sleep(self.chance.uniform(0.2, 2.0))
            watch = self.chance.choice(self.watches)
            if not has_ended(await watch.look()):
                await watch.set_cap(int(self._most[watch.job] * self.chance.uniform(0.02, 0.5)))

    async def terminate_one(self) -> None:
        """End a running job's workflow by hand, at a random moment."""
        await asyncio.sleep(self.chance.uniform(0.5, 6.0))
        client = await Client.connect(str(self.service.stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"]))
        for watch in self.chance.sample(self.watches, JOBS):
            if not has_ended(await watch.look()):
                await client.get_workflow_handle(watch.job).terminate("by hand")
                self.dead = watch
                return

    async def let_all_end(self) -> None:
        """Raise the caps of all jobs that still run, and see them end."""
        for watch in self.living:
            if not has_ended(await watch.look()):
                await watch.set_cap(self._most[watch.job])
        for watch in self.living:
            await watch.until(has_ended)

    async def judge(self) -> None:
        """Every job by itself, and the tenant's books against the whole bill."""
        ends = [
            spent((await check_books(self.service, self.ledger, each.job, each.items))["cost"])
            for each in self.living
        ]
        for watch in self.watches:
            watch.judge()
        try:
            usage = await self.service.all_told()
        except AssertionError:
            raise AssertionError(f"still leased: {await leases(self.service)}") from None
        known = sum(map(sum, ends))
        billed = total(self.dead.bills) if self.dead else 0
        assert sum(spent(usage)) >= total(self.ledger.bills)
        assert sum(spent(usage)) >= known + billed
        assert self.dead or sum(spent(usage)) == known


async def account_run(service: Service) -> str:
    """Which run of the account's workflow is the current one."""
    client = await Client.connect(str(service.stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"]))
    account = client.get_workflow_handle("account/default")
    return (await account.describe(rpc_timeout=timedelta(seconds=30))).run_id


async def lead_through_the_day(tenant: Tenant, days: Days) -> None:
    """Before midnight and after it: caps up and down, workers killed, a job ended by hand."""
    chance, share = tenant.chance, tenant.expected
    await asyncio.gather(
        kill_workers(tenant.service.stack, chance, 2),
        tenant.terminate_one(),
        tenant.change_job_caps(4),
        change_caps(days, chance, share),
    )
    await days.turned()
    await asyncio.gather(
        kill_workers(tenant.service.stack, chance, 1),
        tenant.change_job_caps(2),
        change_caps(days, chance, share),
    )
    await days.set_cap(20 * share)
    await tenant.let_all_end()


async def change_caps(days: Days, chance: random.Random, share: int) -> None:
    """Another cap of the tenant's, and yet another."""
    for _ in range(2):
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        await days.set_cap(int(share * chance.uniform(0.05, 0.5)))


def next_midnight(ahead: float = 5) -> int:
    """The first full minute that is at least so far ahead: in some time zone it is midnight then."""
    return (int(time.time() + ahead) // 60 + 1) * 60


async def ten_jobs(seed: int, folder: Path, http: httpx2.AsyncClient) -> None:
    chance, word = random.Random(seed), f"seed {seed},"
    settings = {"IMAGEMILL_WORK_ACCOUNT_UPDATES": "20"}
    async with LocalStack(options(folder, **settings)) as stack:
        service = Service(stack, http)
        tenant = Tenant(service, chance)
        plans = await tenant.plan(word)
        days = Days(service, tenant.ledger, next_midnight())
        await days.set_cap(int(tenant.expected * chance.uniform(0.2, 0.4)))
        first_run = await account_run(service)
        async with service.faults(*catalog.trouble(chance, word, most=0.03)):
            for plan in plans:
                await tenant.submit(*plan)
            looking = asyncio.create_task(tenant.keep_looking())
            try:
                await lead_through_the_day(tenant, days)
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
        days.judge()
        assert {days.window(bill.time) for bill in tenant.ledger.bills} == {-1, 0}
        assert await account_run(service) != first_run
        await tenant.judge()


@pytest.fixture(scope="module")
async def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[dict[int, asyncio.Task[None]]]:
    """The runs of all seeds, some at once: most of the time they wait for their midnight."""
    gate = asyncio.Semaphore(RUNS_AT_ONCE)

    async def run(seed: int) -> None:
        async with gate:
            await ten_jobs(seed, tmp_path_factory.mktemp("day"), http)

    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    seeds = [item.callspec.params["seed"] for item in items if "runs" in item.fixturenames]
    tasks = {int(str(seed)): asyncio.create_task(run(int(str(seed)))) for seed in seeds}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_money_ten_jobs_share_the_tenants_days(seed: int, runs: dict[int, asyncio.Task[None]]) -> None:
    await runs[seed]
