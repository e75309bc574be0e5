"""Uncertain maxima are proven first; a call above its maximum is charged, and learnt from."""

import asyncio

from temporalio.client import Client

from imagemill.domain.trust import PROOF
from tests.fakes.activities import FakeActivities, bought, when
from tests.workflows.mill import Mill, until, working


async def test_an_uncertain_model_makes_one_call_at_a_time_until_five_have_settled(engine: Client) -> None:
    gates = {(0, n): asyncio.Event() for n in range(8)}
    script = {item: [when(gate)] for item, gate in gates.items()}
    fakes = FakeActivities([[10] * 8, [10] * 8], script, uncertain=["m"])
    async with working(Mill(engine, fakes)) as mill:
        await mill.start()
        for n in range(PROOF):
            await mill.calls(n + 1)
            assert len(fakes.calls) == n + 1
            gates[fakes.calls[-1].item].set()
        await mill.calls(PROOF + 2)  # the other chunk waits for the proof, and may start now
        for gate in gates.values():
            gate.set()
        summary = await mill.ended()
    assert summary.state == "completed"


async def test_certain_models_do_not_wait_for_the_proof_of_others(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[10] * 8], {(0, 0): [when(gate)]}, models=["new", "known"], uncertain=["new"])
    async with working(Mill(engine, fakes)) as mill:
        await mill.start()
        await mill.calls(5)
        assert {call.index for call in fakes.calls} == {0, 1, 3, 5, 7}
        gate.set()
        assert (await mill.ended()).state == "completed"


async def test_a_call_above_its_reservation_raises_the_factor_for_its_model_in_all_chunks(
    engine: Client,
) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities(
        [[100, 100], [100] * 3], {(0, 0): [bought(150)], (1, 0): [when(gate, bought(150))]}
    )
    place = {"window": 1}
    async with working(Mill(engine, fakes, cap=10_000, place=place)) as mill:
        await mill.start()
        await until(lambda: 0 in fakes.results)
        gate.set()
        summary = await mill.ended()
    reserved = {(c, r.index): r.attempts[0].reserved_nano for c, rs in fakes.results.items() for r in rs}
    assert reserved[0, 0] == reserved[1, 0] == 100
    assert reserved[0, 1] == reserved[1, 1] == reserved[1, 2] == 150
    assert summary.ended.settled_nano == 150 + 100 + 150 + 200
    trust = fakes.reports[0].trust["m"]
    assert (trust.drifts, trust.drift_nano, trust.permille) == (2, 100, 1500)


async def test_a_drift_leaves_less_for_what_was_not_called(engine: Client) -> None:
    fakes = FakeActivities([[100, 100, 100]], {(0, 0): [bought(120)]})
    async with working(Mill(engine, fakes, cap=239, place={"window": 1})) as mill:
        summary = await mill.run()
    assert summary.ended.counts.skipped == 2  # 119 are left, and 120 are needed
    assert fakes.ledger.peak <= 239
