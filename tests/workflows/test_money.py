"""A job's cap is shared by its chunks, is never passed, and is used where it can be."""

import asyncio
import random

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from imagemill.domain.errors import OutcomeUnknown
from imagemill.domain.messages import CHUNK, GRANT, ChunkStart, GrantSignal
from tests.fakes.activities import FakeActivities, bought, fails, when
from tests.workflows.mill import Mill, until, working


def states(mill: Mill, chunk: int) -> list[str]:
    return [record.state for record in mill.fakes.results[chunk]]


async def test_the_calls_never_commit_more_than_the_cap(engine: Client) -> None:
    dice = random.Random(5)
    maxima = [[dice.randint(50, 150) for _ in range(12)] for _ in range(4)]
    fakes = FakeActivities(maxima)
    for chunk, items in enumerate(maxima):
        for index, maximum in enumerate(items):
            fakes.script[chunk, index] = [bought(dice.randint(1, maximum))]
    fakes.script[1, 3] = [fails(OutcomeUnknown("http_500"))]
    async with working(Mill(engine, fakes, cap=1500, place={"window": 3})) as mill:
        summary = await mill.run()
    assert fakes.ledger.peak <= 1500
    ended = summary.ended
    assert ended.settled_nano + ended.written_off_nano == fakes.ledger.spent <= 1500
    assert ended.counts.terminal == 48
    assert ended.counts.skipped > 0
    # Nothing that was skipped could have been paid with what is left.
    left = 1500 - fakes.ledger.spent
    skipped = [maxima[c][r.index] for c, rs in fakes.results.items() for r in rs if r.state == "skipped"]
    assert min(skipped) > left


async def test_what_one_chunk_leaves_buys_the_items_of_another(engine: Client) -> None:
    fakes = FakeActivities([[100, 100], [100, 100]], {(0, i): [bought(1)] for i in (0, 1)})
    async with working(Mill(engine, fakes, cap=210)) as mill:
        summary = await mill.run()
    assert summary.state == "completed"
    assert fakes.ledger.peak <= 210


async def test_money_that_is_too_little_for_one_chunk_pays_a_cheaper_item_of_another(engine: Client) -> None:
    fakes = FakeActivities([[100], [30]])
    async with working(Mill(engine, fakes, cap=50)) as mill:
        summary = await mill.run()
    assert (states(mill, 0), states(mill, 1)) == (["skipped"], ["succeeded"])
    assert summary.ended.settled_nano == 30


async def test_an_item_above_what_is_left_of_a_lease_is_bought_while_the_cap_has_money(
    skipping: WorkflowEnvironment,
) -> None:
    """The chunk is leased 15, pays 6 of it, and then needs 20; on the quick engine reports cross grants."""
    fakes = FakeActivities([[10, 20], [5]], {(0, 0): [bought(6)]})
    async with working(Mill(skipping.client, fakes, place={"window": 1})) as mill:
        await mill.start()
        await until(lambda: len(fakes.results) == 2)
        summary = await mill.ended()
    assert states(mill, 0) == ["succeeded", "succeeded"]
    assert summary.state == "completed"


async def test_nothing_is_skipped_while_a_call_elsewhere_may_give_money_back(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[100], [100]], {(0, 0): [when(gate, bought(1))]})
    async with working(Mill(engine, fakes, cap=101)) as mill:
        await mill.start()
        await mill.calls(1)
        gate.set()
        summary = await mill.ended()
    assert summary.state == "completed"


async def test_an_item_that_is_dearer_than_the_cap_is_skipped_and_others_are_bought(engine: Client) -> None:
    fakes = FakeActivities([[500, 10, 10]])
    async with working(Mill(engine, fakes, cap=100)) as mill:
        summary = await mill.run()
    assert states(mill, 0) == ["skipped", "succeeded", "succeeded"]
    assert mill.fakes.results[0][0].code == "budget_exhausted"
    assert summary.ended.counts.skipped == 1


async def test_the_only_item_of_a_job_is_skipped_where_it_is_dearer_than_the_cap(engine: Client) -> None:
    async with working(Mill(engine, FakeActivities([[500]]), cap=100)) as mill:
        summary = await mill.run()
    assert states(mill, 0) == ["skipped"]
    assert summary.state == "completed_with_errors"
    assert not mill.fakes.calls


async def test_a_write_off_leaves_nothing_to_buy_again_with(engine: Client) -> None:
    fakes = FakeActivities([[60, 1]], {(0, 0): [fails(OutcomeUnknown("http_500"))]})
    async with working(Mill(engine, fakes, cap=100)) as mill:
        summary = await mill.run()
    assert states(mill, 0) == ["skipped", "succeeded"]
    assert (summary.ended.settled_nano, summary.ended.written_off_nano) == (1, 60)


async def test_a_job_of_one_item_needs_no_chunk(engine: Client) -> None:
    async with working(Mill(engine, FakeActivities([[100]], {(0, 0): [bought(3)]}))) as mill:
        summary = await mill.run()
    history = await mill.handle.fetch_history()
    assert not any(
        e.HasField("start_child_workflow_execution_initiated_event_attributes") for e in history.events
    )
    assert summary.ended.settled_nano == 3


async def test_grants_in_any_order_count_once(engine: Client) -> None:
    fakes = FakeActivities([[100] * 4])
    async with working(Mill(engine, fakes)) as mill:
        start = ChunkStart(place=mill.workplace, chunk=0, granted=0)
        chunk = await engine.start_workflow(CHUNK, start, id=f"{mill.job}/0", task_queue=mill.job)
        # There is no job to tell, which a chunk takes for a cancellation: so this may buy less, but not more.
        for granted in (200, 100, 200):
            await chunk.signal(GRANT, GrantSignal(granted=granted))
        await chunk.result()
    assert fakes.ledger.peak <= 200


async def test_the_price_above_the_maximum_is_charged_all_the_same(engine: Client) -> None:
    fakes = FakeActivities([[100, 100]], {(0, 0): [bought(150)]})
    async with working(Mill(engine, fakes, cap=200, place={"window": 1})) as mill:
        summary = await mill.run()
    assert states(mill, 0) == ["succeeded", "skipped"]
    assert summary.ended.settled_nano == 150
