"""A job that waits, whatever for, is cancelled: it ends, buys nothing more, and gives all money back."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.client import Client

from imagemill.domain.budget import Spend
from imagemill.domain.errors import OutcomeUnknown
from imagemill.domain.messages import ImageOutcome
from imagemill.domain.tenant import Caps
from tests.fakes.activities import FakeActivities, Step, account, answers, fails
from tests.workflows.mill import Mill
from tests.workflows.test_account import jobs, nothing_is_leased, spent

Stop = Callable[[Mill], Awaitable[None]]
ROOMY = Caps(day_nano=10_000)


async def nothing(_: Mill) -> None:
    """It is held by itself."""


async def pause(mill: Mill) -> None:
    await mill.pause()
    await mill.becomes("paused")


def refuses() -> Step:
    return answers(ImageOutcome(kind="account", code="store_refused", wait=600))


WAITS: dict[str, tuple[Caps, list[Step], dict[str, Any], Spend]] = {
    "its own cap": (ROOMY, [], {"cap": 150, "on_exhausted": "hold"}, Spend(settled=100)),
    "the tenant's cap": (Caps(day_nano=150), [], {}, Spend(settled=100)),
    "unknown outcomes": (
        ROOMY,
        [fails(OutcomeUnknown("http_500"))],
        {"place": {"on_unknown": "hold", "window": 1}},
        Spend(written_off=100),
    ),
    "the provider": (ROOMY, [account()], {"place": {"window": 1}}, Spend()),
    "the store": (ROOMY, [refuses()], {"place": {"window": 1}}, Spend()),
}


@pytest.mark.parametrize("stop", [nothing, pause], ids=["held", "and paused"])
@pytest.mark.parametrize("reason", WAITS)
async def test_a_job_that_is_held_can_be_cancelled(engine: Client, reason: str, stop: Stop) -> None:
    caps, first, more, cost = WAITS[reason]
    fakes = FakeActivities([[100] * 3], {(0, 0): list(first)} if first else {})
    async with jobs(engine, caps, fakes, **more) as (tenant, [mill]):
        await mill.start()
        await mill.becomes("held")
        await stop(mill)
        bought = len(fakes.calls)
        await mill.cancel()
        summary = await mill.ended()
        await nothing_is_leased(tenant)
        assert await spent(tenant) == cost
    assert summary.state == "cancelled"
    assert len(fakes.calls) == bought
    assert summary.ended.counts.terminal == 3
    assert summary.hold is None


async def test_a_job_that_is_paused_can_be_cancelled(engine: Client) -> None:
    fakes = FakeActivities([[100] * 3])
    async with jobs(engine, ROOMY, fakes) as (tenant, [mill]):
        await mill.pause_at_once()
        await mill.becomes("paused")
        await mill.cancel()
        summary = await mill.ended()
        await nothing_is_leased(tenant)
        assert await spent(tenant) == Spend()
    assert summary.state == "cancelled"
    assert fakes.calls == []
