"""What the runs of a schedule may spend together is told to their account."""

from dataclasses import replace
from datetime import date

import pytest

from api.accounts import account_of, set_schedule_caps
from api.context import Context
from imagemill.caps import schedule_caps_of, set_caps
from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.messages import AccountStart
from imagemill.domain.tenant import AccountAsk, Caps, TenantAccount
from tests.fakes.engine import MemoryEngine

FIRST, SECOND = Caps(month_nano=5), Caps(month_nano=7)


async def test_the_caps_of_a_schedule_are_kept_and_told_where_its_account_runs(
    parts: Context, engine: MemoryEngine
) -> None:
    await set_schedule_caps(parts, "t", "sched_1", FIRST)
    assert await schedule_caps_of(parts.control, "t", "sched_1") == FIRST
    assert engine.told == []

    engine.caps["t/sched_1"] = FIRST
    await set_schedule_caps(parts, "t", "sched_1", SECOND)
    assert [(start.tenant, start.schedule, caps) for start, caps in engine.told] == [("t", "sched_1", SECOND)]


async def test_caps_that_change_while_they_are_told_are_told_last(
    parts: Context, engine: MemoryEngine
) -> None:
    class Changing(MemoryEngine):
        async def tell_account(
            self, start: AccountStart, *, ask: AccountAsk | None = None, caps: Caps | None = None
        ) -> None:
            if not self.told:
                await set_caps(parts.control, "t", SECOND, schedule="sched_1")
            await super().tell_account(start, ask=ask, caps=caps)

    changing = Changing()
    changing.caps["t/sched_1"] = Caps()
    await set_schedule_caps(replace(parts, engine=changing), "t", "sched_1", FIRST)
    assert [caps for _, caps in changing.told] == [FIRST, SECOND]


async def test_an_account_that_never_ran_has_its_caps_and_spent_nothing(parts: Context) -> None:
    await set_schedule_caps(parts, "t", "sched_1", FIRST)
    account = await account_of(parts, "t", "sched_1")
    assert (account.schedule, account.caps, account.days) == ("sched_1", FIRST, {})


async def test_an_account_that_has_only_just_begun_is_asked_again(
    parts: Context, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.accounts.NEW_SECONDS", (0.0, 0.0))
    engine.accounts["t/sched_1"] = TenantAccount(tenant="t", caps=FIRST, today=date(2026, 5, 1))
    engine.away = 2
    assert (await account_of(parts, "t", "sched_1")).caps == FIRST

    engine.away = 3
    with pytest.raises(EngineUnavailable):
        await account_of(parts, "t", "sched_1")
