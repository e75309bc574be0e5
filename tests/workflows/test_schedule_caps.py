"""A run of a schedule leases from two accounts, its schedule's and its tenant's, and passes neither cap."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from imagemill.domain.budget import total
from imagemill.domain.messages import Times
from imagemill.domain.tenant import Caps
from tests.fakes.activities import FakeActivities
from tests.workflows.mill import QUICK, Mill, Tenant, until, working

PLENTY = Caps(day_nano=100_000)
HOUSEKEEPING = QUICK.model_copy(update={"reconcile": 0.5, "account_save": 0.2})


@dataclass
class Scheduled:
    """The runs of one schedule, not yet started, and both accounts."""

    schedule: Tenant
    tenant: Tenant
    runs: list[Mill]

    async def settled(self) -> list[int]:
        """What each account says that was spent, once nothing is leased any more."""
        found = []
        for account in (self.schedule, self.tenant):
            await until(lambda account=account: nothing_leased(account))  # type: ignore[misc]
            found.append(total((await account.usage()).spent_in("month")).settled)
        return found


async def nothing_leased(account: Tenant) -> bool:
    return (await account.usage()).leased == 0


async def all_stand_still(runs: list[Mill]) -> bool:
    return all([(await run.summary()).state in ("held", "completed") for run in runs])


@asynccontextmanager
async def scheduled(
    client: Client,
    month_nano: int | None,
    tenant_caps: Caps,
    *fakes: FakeActivities,
    times: Times | None = None,
) -> AsyncIterator[Scheduled]:
    mills = [Mill(client, each, times=times or QUICK) for each in fakes]
    name, keeping = f"sched_{uuid.uuid4().hex[:12]}", times or HOUSEKEEPING
    schedule = Tenant(client, mills[0].job, Caps(month_nano=month_nano), keeping, schedule=name)
    tenant = Tenant(client, mills[0].job, tenant_caps, keeping)
    for mill in mills:
        mill.place = {"account": tenant.id, "schedule": name}
    async with AsyncExitStack() as running:
        for mill in mills:
            await running.enter_async_context(working(mill))
        await asyncio.gather(schedule.start(), tenant.start())
        try:
            yield Scheduled(schedule, tenant, mills)
        finally:
            await asyncio.gather(schedule.end(), tenant.end())


async def test_what_a_run_spends_counts_in_both_accounts(engine: Client) -> None:
    fakes = FakeActivities([[100] * 3, [100] * 3])
    async with scheduled(engine, 10_000, PLENTY, fakes) as their:
        assert (await their.runs[0].run()).state == "completed"
        assert await their.settled() == [600, 600]


async def test_a_run_of_one_item_pays_both_too(engine: Client) -> None:
    async with scheduled(engine, 10_000, PLENTY, FakeActivities([[100]])) as their:
        assert (await their.runs[0].run()).state == "completed"
        assert await their.settled() == [100, 100]


async def test_a_schedule_without_a_cap_knows_what_it_has_spent(engine: Client) -> None:
    async with scheduled(engine, None, PLENTY, FakeActivities([[100] * 3])) as their:
        assert (await their.runs[0].run()).state == "completed"
        assert await their.settled() == [300, 300]


async def test_a_run_that_would_pass_the_schedules_month_is_held_and_keeps_nothing_of_its_tenants(
    engine: Client,
) -> None:
    fakes = FakeActivities([[100] * 4], expected=60)
    async with scheduled(engine, 250, PLENTY, fakes) as their:
        [run] = their.runs
        await run.start()
        await run.becomes("held")
        hold = (await run.summary()).hold
        assert hold
        assert hold.until
        assert hold.until.day == 1
        assert (hold.code, hold.smallest_nano) == ("schedule_budget", 50)
        assert len(fakes.calls) == 2
        await until(lambda: nothing_leased(their.tenant))
        await their.schedule.set_caps(Caps(month_nano=400))
        assert (await run.ended()).state == "completed"
        assert await their.settled() == [400, 400]
    assert fakes.ledger.peak <= 400


async def test_a_run_that_waits_for_its_tenant_asks_once_and_goes_on_when_that_has_money(
    engine: Client,
) -> None:
    fakes = FakeActivities([[100] * 4])
    async with scheduled(engine, 10_000, Caps(day_nano=250), fakes) as their:
        [run] = their.runs
        await run.start()
        await run.becomes("held")
        hold = (await run.summary()).hold
        assert hold
        assert (hold.code, hold.smallest_nano) == ("tenant_budget", 50)
        before = (await run.handle.describe()).history_length
        for _ in range(3):  # three words to the other account, and nobody asks anew
            await their.schedule.set_caps(Caps(month_nano=9_000))
            await their.schedule.usage()
        assert (await run.handle.describe()).history_length == before
        await their.tenant.set_caps(Caps(day_nano=400))
        assert (await run.ended()).state == "completed"
    assert fakes.ledger.peak <= 400


async def test_runs_of_one_schedule_share_its_month(engine: Client) -> None:
    fakes = [FakeActivities([[100] * 3]) for _ in range(3)]
    async with scheduled(engine, 500, PLENTY, *fakes) as their:
        for run in their.runs:
            await run.start()
        await until(lambda: sum(len(each.calls) for each in fakes) == 5)
        await until(lambda: all_stand_still(their.runs))
        await their.schedule.set_caps(Caps(month_nano=900))
        assert {(await run.ended()).state for run in their.runs} == {"completed"}
        assert await their.settled() == [900, 900]
    assert sum(each.ledger.peak for each in fakes) <= 900


async def test_a_cap_that_is_lowered_calls_money_back_from_runs(engine: Client) -> None:
    fakes = FakeActivities([[100] * 6])
    async with scheduled(engine, 300, PLENTY, fakes) as their:
        [run] = their.runs
        await run.start()
        await run.becomes("held")
        await their.schedule.set_caps(Caps(month_nano=100))
        await their.schedule.set_caps(Caps(month_nano=600))
        assert (await run.ended()).state == "completed"
        assert await their.settled() == [600, 600]


async def test_a_held_run_goes_on_when_the_month_turns(skipping: WorkflowEnvironment) -> None:
    """Three items at 60 under a cap of 100 a month: one a month."""
    fakes = FakeActivities([[60, 60, 60]])
    rare = Times(sweep=400_000, reconcile=400_000, account_save=400_000)  # each timer costs the skipping time
    async with scheduled(skipping.client, 100, PLENTY, fakes, times=rare) as their:
        assert (await their.runs[0].run()).state == "completed"
        account = await their.schedule.usage()
    # Of the months before the last two nothing is kept.
    assert [total(spent).total for spent in account.days.values()] == [60, 60]
    assert len({day[:7] for day in account.days}) == 2
