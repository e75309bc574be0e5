"""A chunk that somebody terminated is found by its silence, and lives again."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.fakes.activities import FakeActivities, beating, bought
from tests.workflows.mill import QUICK, Mill, until, working

SWEPT = QUICK.model_copy(update={"sweep": 1, "call_deadline": 2})


@pytest.fixture
async def revived(engine: Client) -> AsyncIterator[Mill]:
    """A job whose first chunk was terminated when it had bought an item for 6 and was buying another."""
    fakes = FakeActivities([[10, 10], [5]], {(0, 0): [bought(6)], (0, 1): [beating()]})
    async with working(Mill(engine, fakes, SWEPT)) as mill:
        await mill.start()
        await until(lambda: (0, 0) in fakes.stored and bool(fakes.calls_of(0, 1)) and 1 in fakes.results)
        await mill.chunk(0).terminate()
        fakes.gone.add(0)
        await mill.ended()
        yield mill


async def test_it_buys_only_what_is_missing(revived: Mill) -> None:
    assert len(revived.fakes.calls_of(0, 0)) == 1
    assert len(revived.fakes.calls_of(0, 1)) == 2
    assert [task.recover for task in revived.fakes.opened if task.chunk == 0] == [False, True]
    summary = await revived.ended()
    assert summary.state == "completed"
    assert summary.ended.counts.terminal == 3


async def test_what_it_held_and_did_not_settle_is_written_off(revived: Mill) -> None:
    ended = (await revived.ended()).ended
    assert ended.settled_nano + ended.written_off_nano == 20 + 10 + 5


async def test_it_waits_until_no_call_of_its_earlier_life_can_be_under_way(revived: Mill) -> None:
    history = await revived.chunk(0).fetch_history()
    kinds = [event.WhichOneof("attributes") for event in history.events]
    timer = kinds.index("timer_started_event_attributes")
    wait = history.events[timer].timer_started_event_attributes.start_to_fire_timeout
    assert wait.ToTimedelta().total_seconds() == SWEPT.call_deadline
    assert timer < kinds.index("activity_task_scheduled_event_attributes")
