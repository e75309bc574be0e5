"""A tenant's account: its caps are shared by its jobs, never passed, and open again when a window turns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from imagemill.domain.budget import Spend
from imagemill.domain.messages import ASK, CLOSE, ImageOutcome, Reconciled, Times
from imagemill.domain.tenant import AccountAsk, Caps
from tests.fakes.activities import Call, FakeActivities, bought, when
from tests.workflows.mill import QUICK, Mill, Tenant, until, working

HOUSEKEEPING = QUICK.model_copy(update={"reconcile": 0.5, "account_save": 0.2})


@asynccontextmanager
async def jobs(
    client: Client,
    tenant_caps: Caps,
    *fakes: FakeActivities,
    updates_a_run: int = 1000,
    times: Times | None = None,
    **more: object,
) -> AsyncIterator[tuple[Tenant, list[Mill]]]:
    """Jobs of one tenant, not yet started, and its account; ``times`` are for both."""
    mills = [Mill(client, each, times=times or QUICK, **more) for each in fakes]  # type: ignore[arg-type]
    tenant = Tenant(client, mills[0].job, tenant_caps, times or HOUSEKEEPING, updates_a_run)
    for mill in mills:
        mill.place = mill.place | {"account": tenant.id}
    async with AsyncExitStack() as running:
        for mill in mills:
            await running.enter_async_context(working(mill))
        await tenant.start()
        try:
            yield tenant, mills
        finally:
            await tenant.end()


async def nothing_is_leased(tenant: Tenant) -> None:
    async def it_is_so() -> bool:
        return not (await tenant.usage()).leases

    await until(it_is_so)


async def spent(tenant: Tenant) -> Spend:
    """Of this month, by the account."""
    whole = Spend()
    for spend in (await tenant.usage()).spent_in("month").values():
        whole = whole.plus(spend)
    return whole


async def test_a_job_pays_from_its_tenants_account_and_returns_the_rest(engine: Client) -> None:
    async with jobs(engine, Caps(day_nano=10_000), FakeActivities([[100] * 3, [100] * 3])) as (
        tenant,
        [mill],
    ):
        summary = await mill.run()
        await nothing_is_leased(tenant)
        assert await spent(tenant) == Spend(settled=600)
    assert summary.state == "completed"


async def test_a_job_of_one_item_does_so_too(engine: Client) -> None:
    async with jobs(engine, Caps(month_nano=10_000), FakeActivities([[100]], {(0, 0): [bought(40)]})) as (
        tenant,
        [mill],
    ):
        assert (await mill.run()).state == "completed"
        await nothing_is_leased(tenant)
        assert await spent(tenant) == Spend(settled=40)


async def test_a_tenant_without_caps_spends_what_its_jobs_may(engine: Client) -> None:
    async with jobs(engine, Caps(), FakeActivities([[100] * 3])) as (tenant, [mill]):
        assert (await mill.run()).state == "completed"
        await nothing_is_leased(tenant)
        assert await spent(tenant) == Spend(settled=300)


@pytest.mark.parametrize("caps", [Caps(day_nano=250), Caps(day_nano=10_000, month_nano=250)])
async def test_a_job_waits_where_the_tenants_cap_is_used_up_and_goes_on_when_it_is_raised(
    engine: Client, caps: Caps
) -> None:
    fakes = FakeActivities([[100] * 4], expected=60)
    async with jobs(engine, caps, fakes) as (tenant, [mill]):
        await mill.start()
        await mill.becomes("held")
        hold = (await mill.summary()).hold
        assert hold
        assert hold.until
        likely = 2 * 60 + (100 - 60) - 50  # the last one needs its whole reservation
        assert (hold.code, hold.smallest_nano, hold.likely_nano) == ("tenant_budget", 50, likely)
        assert (hold.until.day == 1) == (caps.month_nano == 250 or tomorrow_is_the_first())
        assert len(fakes.calls) == 2
        await tenant.set_caps(Caps(day_nano=400))
        summary = await mill.ended()
    assert summary.state == "completed"
    assert fakes.ledger.peak <= 400


def tomorrow_is_the_first() -> bool:
    today = datetime.now(UTC)
    return (today.replace(day=28).month != today.month) or today.day >= 28


async def test_jobs_share_one_cap_and_what_one_leaves_buys_the_items_of_another(engine: Client) -> None:
    fakes = [FakeActivities([[100] * 4], {(0, n): [bought(1)] for n in range(4)}) for _ in range(4)]
    async with jobs(engine, Caps(day_nano=250), *fakes) as (tenant, mills):
        for mill in mills:
            await mill.start()
        summaries = await asyncio.gather(*(mill.ended() for mill in mills))
        await nothing_is_leased(tenant)
        assert await spent(tenant) == Spend(settled=16)
    assert {summary.state for summary in summaries} == {"completed"}


async def test_the_cap_holds_over_all_jobs_at_every_moment(engine: Client) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    fakes = [FakeActivities([[100] * 3], {(0, 0): [when(gate)]}) for gate in gates]
    async with jobs(engine, Caps(day_nano=450), *fakes, place={"window": 1}) as (_, mills):
        for mill in mills:
            await mill.start()
        await until(lambda: all(each.calls for each in fakes))
        for gate in gates:
            gate.set()
        await until(lambda: sum(len(each.calls) for each in fakes) == 4)
        for mill in mills:
            await mill.becomes("held")
        assert sum(each.ledger.spent for each in fakes) == 400
        for mill in mills:
            await mill.cancel()
            await mill.ended()


async def test_a_lowered_cap_takes_back_what_no_call_needs(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[10] * 20], {(0, n): [when(gate)] for n in range(2)})
    async with jobs(engine, Caps(day_nano=1000), fakes, place={"window": 2}) as (tenant, [mill]):
        await mill.start()
        await mill.calls(2)
        await tenant.set_caps(Caps(day_nano=15))

        async def given_back() -> bool:
            return (await tenant.usage()).leased == 20

        await until(given_back)
        gate.set()
        await mill.becomes("held")
        assert len(fakes.calls) == 2
        await tenant.set_caps(Caps(day_nano=200))
        assert (await mill.ended()).state == "completed"
    assert fakes.ledger.peak <= 200


async def test_what_is_short_of_the_own_cap_is_not_asked_of_the_tenant(engine: Client) -> None:
    fakes = FakeActivities([[100, 100]])
    async with jobs(engine, Caps(day_nano=1000), fakes, cap=150, on_exhausted="hold") as (tenant, [mill]):
        await mill.start()
        await mill.becomes("held")
        hold = (await mill.summary()).hold
        assert hold
        assert (hold.code, hold.smallest_nano) == ("budget", 50)

        async def returned() -> bool:
            return (await tenant.usage()).leased == 0

        await until(returned)
        before = await heard(tenant)
        await mill.set_budget(cap=200)
        assert (await mill.ended()).state == "completed"
    assert before <= 4  # it does not ask again and again


async def heard(tenant: Tenant) -> int:
    history = await tenant.handle.fetch_history()
    return sum(
        event.workflow_execution_signaled_event_attributes.signal_name == ASK for event in history.events
    )


async def test_an_account_goes_on_over_its_continue_as_news(engine: Client) -> None:
    fakes = FakeActivities([[10] * 30, [10] * 30], {(0, n): [bought(9)] for n in range(30)})
    place = {"window": 2, "chunks_at_once": 2}
    async with jobs(engine, Caps(day_nano=5000), fakes, updates_a_run=3, place=place) as (tenant, [mill]):
        first = (await tenant.handle.describe()).run_id
        assert (await mill.run()).state == "completed"
        await nothing_is_leased(tenant)
        assert await spent(tenant) == Spend(settled=30 * 9 + 300)
        assert (await tenant.handle.describe()).run_id != first


async def test_an_ask_that_comes_twice_or_late_counts_once(engine: Client) -> None:
    async with jobs(engine, Caps(day_nano=1000), FakeActivities([[1]])) as (tenant, _):
        new = AccountAsk(holder="job_x/1", sequence=2, wanted=100, spent={"m": Spend(settled=30)})
        old = AccountAsk(holder="job_x/1", sequence=1, wanted=900)
        for ask in (new, old, new):
            await tenant.handle.signal(ASK, ask)

        async def counted() -> bool:
            return await heard(tenant) == 3 and bool((await tenant.usage()).leases)

        await until(counted)
        account = await tenant.usage()
        assert account.leases["job_x/1"].granted == 100
        assert await spent(tenant) == Spend(settled=30)


async def test_the_lease_of_a_job_that_vanished_is_settled_by_its_records(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[100] * 2], {(0, 0): [when(gate)], (0, 1): [when(gate)]})
    async with jobs(engine, Caps(day_nano=1000), fakes) as (tenant, [mill]):
        await mill.start()
        await mill.calls(2)
        fakes.vanished[mill.job] = Reconciled(spent={"m": Spend(settled=70)}, exact=False)
        await mill.handle.terminate()
        await nothing_is_leased(tenant)
        whole = await spent(tenant)
        assert whole.settled == 70
        assert whole.total >= 200  # what it held counts as spent, but for what is known
        gate.set()


async def test_what_is_saved_is_where_a_lost_account_goes_on(engine: Client) -> None:
    fakes = FakeActivities([[100] * 2])
    async with jobs(engine, Caps(day_nano=1000), fakes) as (tenant, [mill]):
        await mill.run()
        await until(lambda: bool(fakes.saved) and not fakes.saved[-1].leases)
        await tenant.end()
        await tenant.start()

        async def known() -> bool:
            return await spent(tenant) == Spend(settled=200)

        await until(known)


async def test_a_job_whose_account_does_not_run_has_it_opened(engine: Client) -> None:
    fakes = FakeActivities([[100]])
    mill = Mill(engine, fakes, place={"account": "account/nobody"})
    async with working(mill):
        await mill.start()
        await until(lambda: bool(fakes.reopened))
        ask = fakes.reopened[0].ask
        await mill.cancel()
        await mill.ended()
    assert (ask.job, ask.wanted) == (mill.job, 100)


async def test_a_held_job_goes_on_when_the_window_turns(skipping: WorkflowEnvironment) -> None:
    """Three items at 60 under a cap of 100 a day: one a day."""
    fakes = FakeActivities([[60, 60, 60]])
    caps = Caps(day_nano=100, time_zone="Europe/Berlin")
    rare = Times(sweep=20_000, reconcile=20_000, account_save=20_000)  # each timer costs the skipping time
    async with jobs(skipping.client, caps, fakes, times=rare) as (tenant, [mill]):
        summary = await mill.run()
        days = (await tenant.usage()).days
    assert summary.state == "completed"
    assert len(days) == 3
    assert all(sum(spend.total for spend in day.values()) == 60 for day in days.values())


async def test_an_ask_and_the_last_word_of_the_same_job_may_come_together(engine: Client) -> None:
    fakes = FakeActivities([[1]])
    mill = Mill(engine, fakes)
    tenant = Tenant(engine, mill.job, Caps(day_nano=1000))
    await tenant.start()
    asks = [AccountAsk(holder="job_x/1", sequence=n, wanted=100 * n, done=n == 2) for n in (1, 2)]
    for ask in asks:
        await tenant.handle.signal(ASK, ask)
    async with working(mill):
        assert (await tenant.usage()).leases == {}
    await tenant.end()


async def test_an_account_that_is_closed_ends_once_no_job_has_a_lease(engine: Client) -> None:
    stays = asyncio.Event()

    async def waits(call: Call) -> ImageOutcome:
        await stays.wait()
        return await bought(3)(call)

    fakes = FakeActivities([[10]], {(0, 0): [waits]})
    mill = Mill(engine, fakes)
    tenant = Tenant(engine, mill.job, Caps(day_nano=100), HOUSEKEEPING)
    mill.place = {"account": tenant.id}
    async with working(mill):
        account = await tenant.start()
        await mill.start()
        await mill.calls(1)
        await tenant.handle.signal(CLOSE)
        assert (await tenant.usage()).leases
        stays.set()
        assert (await mill.ended()).state == "completed"
        await asyncio.wait_for(account.result(), 20)
    assert sum(spend.settled for spend in fakes.saved[-1].spent_in("day").values()) == 3
