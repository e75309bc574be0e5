"""What a tenant's account asks of the world: saving, restoring, and what became of those who vanished."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.accounts import Accounts
from activities.plans import Plans
from imagemill.caps import set_caps
from imagemill.domain.budget import UNKNOWN_MODEL, Spend
from imagemill.domain.item import Attempt, ItemResult
from imagemill.domain.job import JobSummary
from imagemill.domain.messages import (
    AccountStart,
    AccountTask,
    OpenAccountTask,
    Reconciled,
    ReconcileTask,
    SaveTask,
    Times,
)
from imagemill.domain.places import account_key, month_key, plan_index_key, results_key
from imagemill.domain.tenant import AccountAsk, Caps, TenantAccount
from imagemill.ports import Life
from imagemill.tenants import Tenants
from tests.fakes.engine import MemoryEngine
from tests.fakes.provider import picture
from tests.unit.activities.places import Shop, call

DEFAULTS = Caps(day_nano=5)
ENDED = Life(running=False, ended_at=datetime(2026, 1, 1, tzinfo=UTC))
RUNS = Life(running=True)
TASK = ReconcileTask(tenant="t", holder="job_1/1a2b3c4d", settle_after=60)


class World:
    """A shop with one item, and an engine that knows nothing yet."""

    def __init__(self) -> None:
        self.shop, self.engine = Shop(), MemoryEngine()
        self.accounts = Accounts(
            self.shop.control,
            Plans(self.shop.control),
            self.shop.delivery,
            self.engine,
            DEFAULTS,
            Times(),
        )

    async def reconcile(self) -> Reconciled:
        return await ActivityEnvironment().run(self.accounts.reconcile, TASK)

    async def plan(self, *items: int) -> None:
        """A plan of chunks with so many items; the first has the shop's own."""
        await self.shop.plan()
        index = {"chunks": [{"items": count} for count in items]}
        await self.shop.control.put(plan_index_key("t", "job_1"), json.dumps(index).encode())

    async def results(self, chunk: int, *attempts: Attempt) -> None:
        result = ItemResult(index=0, custom_id="a", state="succeeded", model="m", attempts=list(attempts))
        await self.shop.control.put(results_key("t", "job_1", chunk), result.model_dump_json().encode())


@pytest.fixture
def world() -> World:
    return World()


def attempt(outcome: str, cost: int) -> Attempt:
    return Attempt.model_validate({"reservation": outcome, "outcome": outcome, "cost_nano": cost})


@pytest.mark.parametrize("runs", [True, False])
async def test_a_job_that_runs_or_has_only_just_ended_is_left_alone(world: World, runs: bool) -> None:
    just_now = datetime.now(UTC) - timedelta(seconds=30)
    world.engine.lives["job_1"] = RUNS if runs else Life(running=False, ended_at=just_now)
    assert (await world.reconcile()).spent is None


async def test_a_job_that_never_planned_spent_nothing(world: World) -> None:
    world.engine.lives["job_1"] = ENDED
    assert await world.reconcile() == Reconciled(spent={}, exact=True)


async def test_results_tell_exactly_what_was_spent(world: World) -> None:
    await world.plan(2, 2)
    await world.results(0, attempt("written_off", 7), attempt("settled", 3), attempt("released", 0))
    await world.results(1, attempt("recovered", 4))
    world.engine.lives["job_1"] = ENDED

    assert await world.reconcile() == Reconciled(spent={"m": Spend(settled=7, written_off=7)}, exact=True)


async def test_a_chunk_that_still_runs_is_waited_for(world: World) -> None:
    await world.plan(2)
    world.engine.lives |= {"job_1": ENDED, "job_1/0": RUNS}
    assert (await world.reconcile()).spent is None


async def test_a_chunk_without_results_tells_by_its_images_and_not_exactly(world: World) -> None:
    await world.plan(2)
    await world.shop.delivery.store(world.shop.place, call("r", picture(), cost=9), [picture()])
    world.engine.lives |= {"job_1": ENDED, "job_1/0": ENDED}

    found = await world.reconcile()
    assert found == Reconciled(spent={"gpt-image-2.5-flare": Spend(settled=9)}, exact=False)


async def test_the_item_that_a_job_ran_itself_may_have_been_bought(world: World) -> None:
    await world.plan(1)
    world.engine.lives["job_1"] = ENDED
    assert await world.reconcile() == Reconciled(spent={}, exact=False)


async def test_a_chunk_that_was_never_started_spent_nothing(world: World) -> None:
    await world.plan(2, 2)
    await world.results(0, attempt("settled", 3))
    world.engine.lives |= {"job_1": ENDED}
    assert await world.reconcile() == Reconciled(spent={"m": Spend(settled=3)}, exact=True)


async def test_what_vanished_with_a_chunk_before_is_counted_too(world: World) -> None:
    await world.plan(2)
    await world.results(0, attempt("settled", 3))
    world.engine.lives["job_1"] = ENDED
    world.engine.summaries["job_1"] = JobSummary(
        tenant="t", submitted_at=datetime.now(UTC), cap_nano=1, vanished_nano=8
    )
    found = await world.reconcile()
    assert found.spent == {"m": Spend(settled=3), UNKNOWN_MODEL: Spend(written_off=8)}


class Hasty(MemoryEngine):
    """An engine whose operator lowers a cap while an account is being started."""

    def __init__(self, lower: Callable[[], object]) -> None:
        super().__init__()
        self.lower = lower

    async def tell_account(
        self, start: AccountStart, *, ask: AccountAsk | None = None, caps: Caps | None = None
    ) -> None:
        await super().tell_account(start, ask=ask, caps=caps)
        self.lower()


async def test_an_account_is_started_by_the_caps_of_the_file_and_told_if_they_change_meanwhile(
    tmp_path: Path,
) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text('[tenants.t.caps]\nday_usd = "7"')
    shop, engine = Shop(), Hasty(lambda: file.write_text('[tenants.t.caps]\nday_usd = "1"'))
    accounts = Accounts(
        shop.control, Plans(shop.control), shop.delivery, engine, DEFAULTS, Times(), tenants=Tenants(file)
    )
    ask = AccountAsk(holder="job_1/x", sequence=1, wanted=5)
    task = OpenAccountTask(tenant="t", ask=ask)
    await ActivityEnvironment().run(accounts.open_account, task)

    first, lowered = Caps(day_nano=7 * 10**9), Caps(day_nano=10**9)
    assert [(start.caps, told) for start, told in engine.told] == [(first, ask), (lowered, lowered)]
    await ActivityEnvironment().run(accounts.open_account, task)
    assert [(start.caps, told) for start, told in engine.told[2:]] == [(lowered, ask)]


async def test_what_is_saved_is_restored_and_each_month_has_a_file(world: World) -> None:
    account = TenantAccount(tenant="t", caps=Caps(month_nano=3), today=date(2026, 3, 1))
    account.days = {"2026-02-28": {"m": Spend(settled=1)}, "2026-03-01": {"m": Spend(settled=2)}}
    await ActivityEnvironment().run(world.accounts.save_account, SaveTask(account=account))
    restored = await ActivityEnvironment().run(world.accounts.restore_account, AccountTask(tenant="t"))

    assert restored.account == account
    february = json.loads(world.shop.control.data(month_key("t", "2026-02")))
    assert list(february["days"]) == ["2026-02-28"]
    assert february["days"]["2026-02-28"]["m"]["settled"] == 1
    assert account_key("t") in world.shop.control.objects


async def test_a_tenant_that_was_never_saved_has_nothing_to_restore(world: World) -> None:
    restored = await ActivityEnvironment().run(world.accounts.restore_account, AccountTask(tenant="t"))
    assert restored.account is None


async def test_an_account_is_opened_by_the_caps_in_force(world: World) -> None:
    task = OpenAccountTask(tenant="t", ask=AccountAsk(holder="job_1/x", sequence=1, wanted=3))
    await ActivityEnvironment().run(world.accounts.open_account, task)
    await set_caps(world.shop.control, "t", Caps(day_nano=9))
    await ActivityEnvironment().run(world.accounts.open_account, task)

    assert [start.caps for start, _ in world.engine.told] == [DEFAULTS, Caps(day_nano=9)]
    assert [ask for _, ask in world.engine.told] == [task.ask, task.ask]


async def test_a_schedules_account_has_its_own_caps_and_is_saved_beside_its_tenants(world: World) -> None:
    run, control = ActivityEnvironment().run, world.shop.control
    ask = AccountAsk(holder="job_1/1a2b3c4d", sequence=1)
    await set_caps(control, "t", Caps(month_nano=9), schedule="sched_1")
    await run(world.accounts.open_account, OpenAccountTask(tenant="t", schedule="sched_1", ask=ask))
    await run(world.accounts.open_account, OpenAccountTask(tenant="t", schedule="sched_2", ask=ask))
    told = [(start.schedule, start.caps) for start, _ in world.engine.told]
    assert told == [("sched_1", Caps(month_nano=9)), ("sched_2", Caps())]

    today = date(2026, 5, 1)
    of_tenant = TenantAccount(tenant="t", caps=DEFAULTS, today=today)
    of_schedule = TenantAccount(
        tenant="t",
        schedule="sched_1",
        caps=Caps(),
        today=today,
        days={"2026-05-01": {"m": Spend(settled=7)}},
    )
    for account in (of_tenant, of_schedule):
        await run(world.accounts.save_account, SaveTask(account=account))
        task = AccountTask(tenant="t", schedule=account.schedule)
        assert (await run(world.accounts.restore_account, task)).account == account
    assert month_key("t", "2026-05") not in control.objects
    assert month_key("t", "2026-05", "sched_1") in control.objects
