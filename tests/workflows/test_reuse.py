"""Items that an earlier item's images answer: they end at once, and no money is moved for them."""

import asyncio

import pytest
from temporalio.client import Client

from imagemill.domain.messages import GRANT
from imagemill.domain.tenant import Caps
from tests.fakes.activities import FakeActivities, bought, when
from tests.workflows.mill import QUICK, Mill, Tenant, working


def all_of(*sizes: int) -> set[tuple[int, int]]:
    return {(chunk, index) for chunk, size in enumerate(sizes) for index in range(size)}


@pytest.mark.parametrize("sizes", [(1,), (3,), (3, 2)], ids=["one item", "one chunk", "two chunks"])
async def test_a_job_of_reused_items_completes_without_a_call_or_a_cent(
    engine: Client, sizes: tuple[int, ...]
) -> None:
    fakes = FakeActivities([[0] * size for size in sizes], reused=all_of(*sizes), expected=0)
    async with working(Mill(engine, fakes, cap=1), at_once=0) as mill:
        summary = await mill.run()

    assert (summary.state, summary.committed_nano, summary.ended.settled_nano) == ("completed", 0, 0)
    counts = summary.ended.counts
    assert (counts.succeeded, counts.reused, counts.images) == (sum(sizes), sum(sizes), 0)
    assert not fakes.calls
    assert not fakes.looks
    records = [record for chunk in sorted(fakes.results) for record in fakes.results[chunk]]
    assert all(record.reused and not record.attempts and not record.cost_nano for record in records)


async def test_only_what_is_not_reused_is_bought_and_paid(engine: Client) -> None:
    fakes = FakeActivities([[0, 10, 0], [0, 0, 10, 10]], reused={(0, 0), (0, 2), (1, 0), (1, 1)})
    async with working(Mill(engine, fakes, cap=30)) as mill:
        summary = await mill.run()

    assert sorted(call.item for call in fakes.calls) == [(0, 1), (1, 2), (1, 3)]
    assert (summary.state, summary.ended.settled_nano, summary.committed_nano) == ("completed", 30, 30)
    assert (summary.ended.counts.succeeded, summary.ended.counts.reused) == (7, 4)
    assert fakes.ledger.peak <= 30


async def test_the_first_lease_is_for_what_is_bought(engine: Client) -> None:
    """Measured by all items, the first share would be too small for a single call."""
    fakes = FakeActivities([[0] * 99 + [10]], reused=all_of(99))
    async with working(Mill(engine, fakes, cap=10, place={"window": 2})) as mill:
        summary = await mill.run()
        history = await mill.chunk(0).fetch_history()

    signals = [event.workflow_execution_signaled_event_attributes.signal_name for event in history.events]
    assert summary.state == "completed"
    assert GRANT not in signals


async def test_reused_items_count_as_ended_while_others_are_under_way(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[0, 0, 10]], {(0, 2): [when(gate, bought(4))]}, reused={(0, 0), (0, 1)})
    async with working(Mill(engine, fakes)) as mill:
        await mill.start()
        await mill.calls(1)
        progress = await mill.progress(0)
        gate.set()
        summary = await mill.ended()

    assert progress
    assert (progress.counts.succeeded, progress.counts.reused, progress.running) == (2, 2, 1)
    assert (summary.ended.counts.succeeded, summary.ended.counts.images) == (3, 1)


async def test_a_tenant_without_money_gets_what_was_bought_before(engine: Client) -> None:
    fakes = FakeActivities([[0, 0]], reused=all_of(2))
    mill = Mill(engine, fakes)
    tenant = Tenant(engine, mill.job, Caps(day_nano=0))
    mill.place = {"account": tenant.id}
    async with working(mill, at_once=0):
        await tenant.start()
        summary = await mill.run()
        await tenant.end()

    assert (summary.state, summary.ended.counts.reused) == ("completed", 2)


async def test_a_chunk_that_vanished_ends_its_reused_items_again(engine: Client) -> None:
    """Its next life has them from the plan, and counts them once."""
    gate = asyncio.Event()
    fakes = FakeActivities([[0, 10]], {(0, 1): [when(gate, bought(4))]}, reused={(0, 0)})
    times = QUICK.model_copy(update={"sweep": 0.5, "call_deadline": 0.1})
    async with working(Mill(engine, fakes, times=times)) as mill:
        await mill.start()
        await mill.calls(1)
        fakes.gone.add(0)
        await mill.chunk(0).terminate()
        gate.set()
        summary = await mill.ended()

    assert [task.recover for task in fakes.opened] == [False, True]
    assert (summary.ended.counts.succeeded, summary.ended.counts.reused) == (2, 1)
    assert summary.committed_nano <= mill.cap
