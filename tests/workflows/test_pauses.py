"""A paused job starts nothing, keeps what was under way, and goes on where it was."""

import asyncio

from temporalio.client import Client

from tests.fakes.activities import FakeActivities, account, bought, when
from tests.workflows.mill import Mill, until, working


async def committed(mill: Mill, amount: int) -> None:
    """Wait until so much is spent or leased to chunks."""

    async def it_is() -> bool:
        return (await mill.summary()).committed_nano == amount

    await until(it_is)


async def under_way(mill: Mill, calls: int) -> None:
    """Wait until the first chunk has so many calls under way, made or not."""

    async def it_is() -> bool:
        if 0 not in (await mill.summary()).open_chunks:
            return False
        progress = await mill.progress(0)
        return progress is not None and progress.running == calls

    await until(it_is)


async def test_a_paused_job_finishes_what_is_under_way_and_starts_nothing_until_it_is_resumed(
    engine: Client,
) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[10] * 4] * 3, {(c, i): [when(gate, bought(4))] for c in (0, 1) for i in (0, 1)})
    async with working(Mill(engine, fakes, place={"window": 2, "chunks_at_once": 2})) as mill:
        await mill.start()
        await mill.calls(4)
        await committed(mill, 80)
        await mill.pause()
        await committed(mill, 40)  # both chunks have heard it, and returned what no call needs
        assert (await mill.summary()).state == "pausing"
        gate.set()
        await mill.becomes("paused")
        assert len(fakes.calls) == 4
        await committed(mill, 4 * 4)  # what was not spent is free for other jobs
        await mill.resume()
        summary = await mill.ended()
    assert summary.state == "completed"
    assert len(fakes.calls) == 12
    assert summary.ended.settled_nano == fakes.ledger.spent == 4 * 4 + 8 * 10


async def test_a_job_is_not_paused_before_its_calls_have_ended(engine: Client) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    fakes = FakeActivities([[10], [10]], {(c, 0): [when(gate)] for c, gate in enumerate(gates)})
    async with working(Mill(engine, fakes)) as mill:
        await mill.start()
        await mill.calls(2)
        await mill.pause()
        await mill.becomes("pausing")
        gates[0].set()

        async def one_has_ended() -> bool:
            return (await mill.summary()).ended.counts.succeeded == 1

        await until(one_has_ended)
        assert (await mill.summary()).state == "pausing"
        gates[1].set()
        summary = await mill.ended()
    assert summary.state == "completed"  # nothing was left to pause


async def test_a_second_pause_is_not_confirmed_by_what_was_said_of_the_first(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[10] * 3], {(0, 1): [when(gate)]})
    async with working(Mill(engine, fakes, place={"window": 1})) as mill:
        await mill.pause_at_once()
        await mill.becomes("paused")
        assert not fakes.calls
        await mill.resume()
        await mill.calls(2)
        await committed(mill, 30)
        await mill.pause()
        await committed(mill, 20)
        assert (await mill.summary()).state == "pausing"
        gate.set()
        await mill.becomes("paused")
        assert len(fakes.calls) == 2
        await mill.resume()
        assert (await mill.ended()).state == "completed"


async def test_the_only_item_of_a_job_pauses_alike(engine: Client) -> None:
    fakes = FakeActivities([[10]])
    async with working(Mill(engine, fakes)) as mill:
        await mill.pause_at_once()
        await mill.becomes("paused")
        assert not fakes.calls
        await mill.resume()
        assert (await mill.ended()).state == "completed"


async def test_calls_that_wait_in_the_queue_are_not_made_in_a_paused_job(engine: Client) -> None:
    """Nobody takes them before the pause, and somebody would right after it."""
    fakes = FakeActivities([[10] * 3])
    mill = Mill(engine, fakes, place={"window": 3})
    async with working(mill, at_once=0):
        await mill.start()
        await under_way(mill, 3)
        await mill.pause()
        await mill.becomes("paused")
    async with working(mill):
        await mill.cancel()
        summary = await mill.ended()
    assert (summary.state, summary.ended.counts.cancelled) == ("cancelled", 3)
    assert not fakes.calls


async def test_a_paused_job_does_not_probe_the_provider(engine: Client) -> None:
    fakes = FakeActivities([[10, 10]], {(0, 0): [account()], (0, 1): [account()]})
    times = Mill(engine, fakes).times.model_copy(update={"first_probe": 0.05, "last_probe": 0.05})
    async with working(Mill(engine, fakes, times=times, place={"window": 1})) as mill:
        await mill.pause_at_once()
        await mill.becomes("paused")
        await mill.resume()
        await mill.calls(2)
        await mill.pause()
        await mill.becomes("paused")
        made = len(fakes.calls)
        await mill.set_priority(2)  # wakes the job and its chunk once more

        async def it_has_the_priority() -> bool:
            return (await mill.summary()).priority == 2

        await until(it_has_the_priority)
        assert len(fakes.calls) == made
        await mill.resume()
        assert (await mill.ended()).state == "completed"


async def test_a_chunk_that_lives_again_lives_in_the_pause(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[10] * 2], {(0, 0): [when(gate)]}, gone={0})
    times = Mill(engine, fakes).times.model_copy(update={"sweep": 0.5, "call_deadline": 0.1})
    async with working(Mill(engine, fakes, times=times, place={"window": 1})) as mill:
        await mill.start()
        await mill.calls(1)
        await mill.pause()
        await mill.chunk(0).terminate()
        gate.set()
        await mill.becomes("paused")
        made = len(fakes.calls)
        await mill.resume()
        summary = await mill.ended()
    assert made <= 1
    assert summary.ended.counts.succeeded == 2


async def test_calls_that_wait_take_the_new_priority(engine: Client) -> None:
    fakes = FakeActivities([[10] * 2])
    mill = Mill(engine, fakes, place={"window": 2})
    async with working(mill, at_once=0):
        await mill.start()
        await under_way(mill, 2)
        await mill.set_priority(1)

        async def they_have_it() -> bool:
            pending = (await mill.chunk(0).describe()).raw_description.pending_activities
            return [each.priority.priority_key for each in pending] == [1, 1]

        await until(they_have_it)
    async with working(mill):
        summary = await mill.ended()
    assert (summary.state, summary.priority) == ("completed", 1)
    assert len(fakes.calls) == 2


async def test_a_pause_that_comes_while_the_one_before_is_being_told_counts(engine: Client) -> None:
    """With many chunks, telling all of them takes a while, in which somebody resumes and pauses again."""
    gate = asyncio.Event()
    fakes = FakeActivities([[10] * 3] * 12, {(c, 0): [when(gate)] for c in range(12)})
    async with working(Mill(engine, fakes, place={"window": 1, "chunks_at_once": 12})) as mill:
        await mill.start()
        await mill.calls(12)
        await asyncio.gather(mill.pause(), mill.resume(), mill.pause(), mill.resume())
        await mill.pause()
        gate.set()
        await mill.becomes("paused")
        made = len(fakes.calls)
        await mill.resume()
        summary = await mill.ended()
    assert summary.state == "completed"
    assert made < 36
    assert len(fakes.calls) == 36
