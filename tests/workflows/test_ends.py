"""How a job ends: cancelled, as a duplicate, failed, or long."""

import asyncio

import pytest
from temporalio.client import Client

from imagemill.domain.errors import NotBilled
from imagemill.domain.messages import Plan
from tests.fakes.activities import FakeActivities, account, bought, fails, silent, until_cancelled, when
from tests.workflows.mill import LOSING, QUICK, Mill, until, working
from workflows import policies

LISTENING = QUICK.model_copy(update={"heartbeat_timeout": 2})
"""A worker hears of a cancellation with its heartbeats, which are sent after 4/5 of their timeout."""


async def test_a_plan_that_another_run_has_claimed_ends_as_a_duplicate(engine: Client) -> None:
    async with working(Mill(engine, FakeActivities([[1]], plan=Plan(duplicate=True)))) as mill:
        summary = await mill.run()
        assert (await mill.summary()).state == "duplicate"
    assert summary.state == "duplicate"
    assert not mill.fakes.reports


async def test_a_failed_plan_is_reported_and_buys_nothing(engine: Client) -> None:
    plan = Plan(failure="bad_manifest", failure_detail="line 3", items=2)
    async with working(Mill(engine, FakeActivities([], plan=plan))) as mill:
        summary = await mill.run()
    assert (summary.state, summary.failure, summary.failure_detail) == ("failed", "bad_manifest", "line 3")
    assert summary.ended.counts.failed == 2
    assert mill.fakes.reports[0].summary.state == "failed"
    assert not mill.fakes.calls


async def test_an_item_whose_row_is_bad_fails_alone(engine: Client) -> None:
    async with working(Mill(engine, FakeActivities([[-1, 10]]))) as mill:
        summary = await mill.run()
    assert [(r.state, r.code) for r in mill.fakes.results[0]] == [
        ("failed", "invalid_row"),
        ("succeeded", None),
    ]
    assert summary.state == "completed_with_errors"


# --- cancel --------------------------------------------------------------------------------------


async def test_a_cancelled_job_keeps_what_is_under_way_and_starts_nothing_more(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[10] * 4] * 3, {(0, i): [when(gate, bought(4))] for i in range(4)})
    async with working(Mill(engine, fakes, place={"window": 2, "chunks_at_once": 1})) as mill:
        await mill.start()
        await mill.calls(2)
        await mill.cancel()
        await mill.becomes("cancelling")
        gate.set()
        summary = await mill.ended()
    assert summary.state == "cancelled"
    assert len(fakes.calls) == 2
    assert summary.ended.settled_nano == 8
    assert (summary.ended.counts.succeeded, summary.ended.counts.cancelled) == (2, 10)


async def test_chunks_that_were_never_started_are_in_the_report(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[10]] * 3, {(0, 0): [when(gate)]})
    async with working(Mill(engine, fakes, place={"chunks_at_once": 1})) as mill:
        await mill.start()
        await mill.calls(1)
        await mill.cancel()
        await mill.becomes("cancelling")
        gate.set()
        await mill.ended()
    facts = fakes.reports[0].chunks
    assert [(f.chunk, f.counts.cancelled, bool(f.results_sha256)) for f in facts] == [
        (0, 0, True),
        (1, 1, False),
        (2, 1, False),
    ]


async def test_what_was_not_sent_when_the_job_was_cancelled_costs_nothing(engine: Client) -> None:
    fakes = FakeActivities([[10], [10]], {(c, 0): [until_cancelled()] for c in (0, 1)})
    async with working(Mill(engine, fakes, LISTENING)) as mill:
        await mill.start()
        await mill.calls(2)
        await mill.cancel()
        summary = await mill.ended()
    assert summary.state == "cancelled"
    assert (summary.ended.settled_nano, summary.ended.written_off_nano) == (0, 0)
    assert [r.attempts[0].outcome for r in fakes.results[0]] == ["released"]


async def test_the_only_item_of_a_job_can_be_cancelled(engine: Client) -> None:
    async with working(
        Mill(engine, FakeActivities([[10]], {(0, 0): [until_cancelled()]}), LISTENING)
    ) as mill:
        await mill.start()
        await mill.calls(1)
        await mill.cancel()
        summary = await mill.ended()
    assert summary.state == "cancelled"
    assert len(mill.fakes.calls) == 1


async def test_a_lost_call_of_a_cancelled_job_is_not_bought_again(engine: Client) -> None:
    mill = Mill(engine, FakeActivities([[10], [10]], {(0, 0): [silent()]}), LOSING)
    async with working(mill):
        await mill.start()
        await mill.calls(2)
        await mill.cancel()
        summary = await mill.ended()
    assert len(mill.fakes.calls_of(0, 0)) == 1
    assert mill.fakes.results[0][0].state == "cancelled"
    assert summary.ended.written_off_nano == 10


# --- long histories ------------------------------------------------------------------------------


@pytest.fixture
def short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workflow modules pass through the sandbox, so that this is theirs too."""
    monkeypatch.setattr(policies, "CONTINUE_AS_NEW_EVENTS", 40)


@pytest.mark.usefixtures("short_histories")
async def test_jobs_and_chunks_that_continue_as_new_lose_neither_item_nor_money(engine: Client) -> None:
    fakes = FakeActivities(
        [[10] * 15] * 6, {(c, i): [bought(1 + i % 9)] for c in range(6) for i in range(15)}
    )
    mill = Mill(engine, fakes, cap=500, place={"window": 3, "chunks_at_once": 3})
    async with working(mill):
        await mill.start()
        first = (await mill.handle.describe()).run_id
        summary = await mill.ended()
        last = (await mill.handle.describe()).run_id
        chunk = await mill.chunk(0).describe()
    assert last != first
    assert chunk.raw_description.workflow_execution_info.first_run_id != chunk.run_id
    assert summary.ended.counts.terminal == summary.items == 90
    assert sum(len(records) for records in fakes.results.values()) == 90
    assert summary.ended.settled_nano == fakes.ledger.spent
    assert fakes.ledger.peak <= 500
    assert len({call.item for call in fakes.calls}) == len(fakes.calls)


@pytest.mark.usefixtures("short_histories")
async def test_a_job_that_continued_as_new_can_still_be_cancelled(engine: Client) -> None:
    fakes = FakeActivities([[10] * 30] * 2)
    async with working(Mill(engine, fakes, place={"window": 2, "chunks_at_once": 1})) as mill:
        await mill.start()
        await mill.calls(20)
        await mill.cancel()
        summary = await mill.ended()
    assert summary.state == "cancelled"
    assert summary.ended.counts.terminal == 60
    assert summary.ended.settled_nano == fakes.ledger.spent


@pytest.mark.usefixtures("short_histories")
@pytest.mark.parametrize("items", [1, 2])
async def test_a_hold_that_lasts_does_not_make_an_endless_history(engine: Client, items: int) -> None:
    probing = QUICK.model_copy(update={"first_probe": 0.01, "last_probe": 0.01})
    fakes = FakeActivities([[10] * items], {(0, 0): [account()] * 6})
    async with working(Mill(engine, fakes, probing)) as mill:
        await mill.run()
        last = mill.handle if items == 1 else mill.chunk(0)
        assert len((await last.fetch_history()).events) < 80


async def test_the_counts_in_the_memos_never_go_back(engine: Client) -> None:
    fakes = FakeActivities([[10] * 20] * 4)
    seen: list[int] = []
    async with working(Mill(engine, fakes, place={"window": 2, "chunks_at_once": 2})) as mill:
        await mill.start()

        async def ended() -> bool:
            seen.append((await mill.summary()).ended.counts.terminal)
            return seen[-1] == 80

        await until(ended, timeout=30)
        await mill.ended()
    assert seen == sorted(seen)


@pytest.mark.usefixtures("short_histories")
async def test_continuing_as_new_does_not_take_the_status_back(engine: Client) -> None:
    fakes = FakeActivities([[10] * 40] * 3)
    seen: list[int] = []
    async with working(Mill(engine, fakes, place={"window": 3, "chunks_at_once": 3})) as mill:
        await mill.start()
        await mill.becomes("running")

        async def ended() -> bool:
            summary = await mill.summary()
            assert summary.state in ("running", "completed")
            assert summary.items == 120
            seen.append(summary.ended.counts.terminal)
            return summary.state == "completed"

        await until(ended, timeout=30)
    assert seen == sorted(seen)


async def test_cancelling_a_call_that_is_answered_with_a_429_costs_nothing(engine: Client) -> None:
    gate = asyncio.Event()
    busy = fails(NotBilled("rate_limited", None, 1.0))
    fakes = FakeActivities([[10], [10]], {(c, 0): [when(gate, busy)] for c in (0, 1)})
    async with working(Mill(engine, fakes)) as mill:
        await mill.start()
        await mill.calls(2)
        await mill.cancel()
        await mill.becomes("cancelling")
        gate.set()
        summary = await mill.ended()
    assert summary.state == "cancelled"
    assert (summary.ended.settled_nano, summary.ended.written_off_nano) == (0, 0)
    assert fakes.looks == []
