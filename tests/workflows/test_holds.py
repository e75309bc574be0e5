"""A job that can't go on keeps all it has, says what it needs, and goes on by itself once it has that."""

import asyncio

from temporalio.client import Client

from imagemill.domain.errors import OutcomeUnknown
from imagemill.domain.messages import ImageOutcome
from tests.fakes.activities import Call, FakeActivities, account, bought, fails, when
from tests.workflows.mill import Mill, until, working


async def committed(mill: Mill, amount: int) -> None:
    """Wait until so much is spent or leased to chunks."""

    async def it_is() -> bool:
        return (await mill.summary()).committed_nano == amount

    await until(it_is)


async def test_a_job_without_money_says_what_it_needs_and_goes_on_when_its_cap_is_raised(
    engine: Client,
) -> None:
    fakes = FakeActivities([[100] * 3, [80] * 2], expected=70)
    async with working(Mill(engine, fakes, cap=250, on_exhausted="hold")) as mill:
        await mill.start()
        await mill.becomes("held")
        summary = await mill.summary()
        assert summary.hold
        bought_before, spent = len(fakes.calls), fakes.ledger.spent
        assert spent <= 250
        assert (summary.hold.code, summary.hold.next_probe) == ("budget", None)
        called = {call.item for call in fakes.calls}
        waiting = [
            [m for n, m in enumerate(each) if (c, n) not in called] for c, each in enumerate(fakes.maxima)
        ]
        likely = sum(70 * len(each) + max(each) - 70 for each in waiting if each)
        assert summary.hold.smallest_nano == min(min(each) for each in waiting if each) - (250 - spent)
        assert summary.hold.likely_nano == likely - (250 - spent)

        await mill.set_budget(cap=460)
        summary = await mill.ended()
    assert summary.state == "completed"
    assert len(fakes.calls) == 5 > bought_before
    assert fakes.ledger.peak <= 460


async def test_a_raise_that_is_too_small_leaves_the_job_held(engine: Client) -> None:
    fakes = FakeActivities([[100, 100]])
    async with working(Mill(engine, fakes, cap=100, on_exhausted="hold")) as mill:
        await mill.start()
        await mill.becomes("held")
        await mill.set_budget(cap=199)

        async def it_needs_one() -> bool:
            hold = (await mill.summary()).hold
            return hold is not None and hold.smallest_nano == 1

        await until(it_needs_one)
        assert len(fakes.calls) == 1
        await mill.set_budget(cap=200)
        assert (await mill.ended()).state == "completed"


async def test_a_held_job_that_is_told_to_skip_ends(engine: Client) -> None:
    fakes = FakeActivities([[100, 100]])
    async with working(Mill(engine, fakes, cap=100, on_exhausted="hold")) as mill:
        await mill.start()
        await mill.becomes("held")
        await mill.set_budget(on_exhausted="skip")
        summary = await mill.ended()
    assert (summary.ended.counts.succeeded, summary.ended.counts.skipped) == (1, 1)
    assert summary.cap_nano == 100


async def test_a_held_job_can_be_cancelled(engine: Client) -> None:
    async with working(Mill(engine, FakeActivities([[100, 100]]), cap=100, on_exhausted="hold")) as mill:
        await mill.start()
        await mill.becomes("held")
        await mill.cancel()
        summary = await mill.ended()
    assert (summary.ended.counts.succeeded, summary.ended.counts.cancelled) == (1, 1)


async def test_the_only_item_of_a_job_waits_for_a_higher_cap(engine: Client) -> None:
    fakes = FakeActivities([[500]])
    async with working(Mill(engine, fakes, cap=100, on_exhausted="hold")) as mill:
        await mill.start()
        await mill.becomes("held")
        hold = (await mill.summary()).hold
        assert hold
        assert (hold.code, hold.smallest_nano) == ("budget", 400)
        await mill.set_budget(cap=500)
        summary = await mill.ended()
    assert summary.state == "completed"


async def test_a_cap_below_what_is_spent_stops_what_was_not_called(engine: Client) -> None:
    """The chunk has money for its whole window; the lowered cap takes back what no call needs."""
    gates = [asyncio.Event() for _ in range(2)]
    fakes = FakeActivities([[10] * 20], {(0, n): [when(gate)] for n, gate in enumerate(gates)})
    place = {"window": 2}
    async with working(Mill(engine, fakes, cap=1000, on_exhausted="hold", place=place)) as mill:
        await mill.start()
        await mill.calls(2)
        await committed(mill, 40)
        await mill.set_budget(cap=15)
        await committed(mill, 20)
        for gate in gates:
            gate.set()
        await mill.becomes("held")
        assert len(fakes.calls) == 2
        hold = (await mill.summary()).hold
        assert hold
        assert hold.smallest_nano == 20 + 10 - 15
        await mill.set_budget(cap=200)
        summary = await mill.ended()
    assert summary.state == "completed"
    assert fakes.ledger.peak <= 200


async def test_an_unknown_outcome_holds_the_whole_job_until_it_is_resumed(engine: Client) -> None:
    gate = asyncio.Event()
    script = {(0, 0): [fails(OutcomeUnknown("http_500"))], (1, 0): [when(gate)]}
    fakes = FakeActivities([[10, 10], [10, 10]], script)
    place = {"on_unknown": "hold", "window": 1}
    async with working(Mill(engine, fakes, place=place)) as mill:
        await mill.start()
        await mill.calls(2)
        gate.set()
        await mill.becomes("held")
        progress = [await mill.progress(chunk) for chunk in (0, 1)]
        assert {each.hold.code for each in progress if each and each.hold} == {"unknown_outcomes"}
        assert sum(each.uncertain for each in progress if each) == 1
        assert len(fakes.calls_of(0, 0)) == 1
        assert len(fakes.calls) <= 3  # what had started when the trouble was heard of
        await mill.resume()
        summary = await mill.ended()
    assert summary.state == "completed"
    assert len(fakes.calls_of(0, 0)) == 2
    assert summary.ended.written_off_nano == 10
    assert summary.ended.uncertain == 1


async def test_calls_that_wait_in_the_queue_are_not_made_once_the_job_reads_held(engine: Client) -> None:
    """The worker makes one call at a time: when the first goes wrong, the second is taken at once."""
    gate = asyncio.Event()
    steps = iter([fails(OutcomeUnknown("http_500")), *(when(gate) for _ in range(5))])

    async def next_step(call: Call) -> ImageOutcome:
        return await next(steps)(call)

    fakes = FakeActivities([[10] * 4], {(0, n): [next_step] for n in range(4)})
    mill = Mill(engine, fakes, place={"on_unknown": "hold"})
    async with working(mill, at_once=1):
        await mill.start()
        await mill.calls(2)
        await committed(mill, 20)  # the others have been taken back
        assert (await mill.summary()).state == "running"
        gate.set()
        await mill.becomes("held")
        assert len(fakes.calls) == 2
        await mill.resume()
        summary = await mill.ended()
    assert summary.state == "completed"


async def test_the_only_item_of_a_job_is_held_and_resumed_alike(engine: Client) -> None:
    fakes = FakeActivities([[10]], {(0, 0): [fails(OutcomeUnknown("http_500")), bought(4)]})
    async with working(Mill(engine, fakes, place={"on_unknown": "hold"})) as mill:
        await mill.start()
        await mill.becomes("held")
        await mill.resume()
        summary = await mill.ended()
    assert (summary.ended.settled_nano, summary.ended.written_off_nano) == (4, 10)


async def test_resuming_tries_the_provider_at_once(engine: Client) -> None:
    """The first probe would come after 15 seconds, beyond this test's patience."""
    fakes = FakeActivities([[10, 10]], {(0, 0): [account()], (0, 1): [account()]})
    async with working(Mill(engine, fakes)) as mill:
        await mill.start()
        await mill.becomes("held")
        await mill.resume()
        summary = await asyncio.wait_for(mill.ended(), 10)
    assert summary.state == "completed"


async def test_a_chunk_that_is_held_leaves_its_money_to_others(engine: Client) -> None:
    """Chunk 0 holds for the account; what it returned buys the items of chunk 1."""
    gate = asyncio.Event()
    script = {(0, n): [when(gate, account()), bought(10)] for n in range(3)}
    script[1, 0] = [when(gate)]
    fakes = FakeActivities([[10] * 3, [10] * 3], script)
    async with working(Mill(engine, fakes, cap=60, place={"window": 3})) as mill:
        await mill.start()
        await mill.calls(6)
        gate.set()
        await committed(mill, 30 + 10)
        await mill.resume()
        summary = await mill.ended()
    assert summary.state == "completed"
    assert fakes.ledger.peak <= 60
