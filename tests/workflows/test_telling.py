"""A job tells what its status shows, in order, and beside its work."""

import asyncio

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.exceptions import ApplicationError

from imagemill.domain.messages import SET_WEBHOOK, Plan, WebhookSignal
from imagemill.domain.webhooks import EVENTS, Notice, event_id
from tests.fakes.activities import FakeActivities, Step, bought, until_cancelled, when
from tests.workflows.mill import QUICK, Mill, until, working
from workflows import policies

FINAL = ("completed", "completed_with_errors", "failed", "cancelled")


def told(mill: Mill) -> list[tuple[str, int]]:
    return [(notice.type, notice.number) for notice in mill.fakes.told]


def activities(history: WorkflowHistory) -> list[str]:
    """The activities of a run, in the order in which they were scheduled."""
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


@pytest.mark.parametrize("maxima", [[[10]], [[10, 10], [20, 20]]], ids=["alone", "chunks"])
async def test_every_event_comes_when_the_memo_shows_it(engine: Client, maxima: list[list[int]]) -> None:
    mill = Mill(engine, FakeActivities(maxima), events=EVENTS)
    shown: list[tuple[str, int]] = []

    async def look(notice: Notice) -> None:
        summary = await mill.summary()
        shown.append((summary.state, summary.ended.counts.terminal))

    mill.fakes.hears = look
    async with working(mill):
        await mill.run()
    kinds = [kind for kind, _ in told(mill)]
    assert kinds[0] == "job.running"
    assert kinds[-1] == "job.completed"
    items = sum(len(chunk) for chunk in maxima)
    assert shown[-1] == ("completed", items)
    last = mill.fakes.told[-1]
    assert (last.state, last.counts.succeeded) == ("completed", items)
    assert last.settled_nano == sum(sum(chunk) for chunk in maxima)


class Away:
    """Hears events, but only once the store is mended."""

    def __init__(self) -> None:
        self.mended = asyncio.Event()
        self.tries = 0

    async def __call__(self, notice: Notice) -> None:
        self.tries += 1
        if not self.mended.is_set():
            raise ApplicationError("the store is away")


async def test_the_quarters_of_a_chunk_are_told_once_its_own_memo_shows_them(engine: Client) -> None:
    gates = [asyncio.Event() for _ in range(8)]
    steps: dict[tuple[int, int], list[Step]] = {(0, n): [when(gate)] for n, gate in enumerate(gates)}
    mill = Mill(engine, FakeActivities([[10] * 8], steps), events=["job.progress"])
    readable: list[int] = []

    async def look(notice: Notice) -> None:
        progress = await mill.progress(0)
        readable.append(progress.counts.terminal if progress else 0)

    mill.fakes.hears = look
    async with working(mill):
        await mill.start()
        for n in range(6):
            gates[n].set()
            if n % 2:
                quarter = (n + 1) // 2
                await until(lambda quarter=quarter: len(mill.fakes.told) == quarter)  # type: ignore[misc]
        for gate in gates:
            gate.set()
        await mill.ended()
    assert told(mill) == [("job.progress", percent) for percent in (25, 50, 75)]
    assert all(seen >= notice.counts.terminal for seen, notice in zip(readable, mill.fakes.told, strict=True))


async def test_progress_is_told_only_once_the_memos_of_all_chunks_together_show_it(engine: Client) -> None:
    gate = asyncio.Event()
    ready = {(0, 0), (0, 1), (0, 2), (1, 0)}  # a quarter of all, and no quarter of either chunk
    steps: dict[tuple[int, int], list[Step]] = {
        (chunk, n): [when(gate)] for chunk in (0, 1) for n in range(8) if (chunk, n) not in ready
    }
    talkative = QUICK.model_copy(update={"sweep": 0.1})
    mill = Mill(engine, FakeActivities([[10] * 8] * 2, steps), talkative, events=["job.progress"])
    readable: list[int] = []

    async def look(notice: Notice) -> None:
        memos = [await mill.progress(0), await mill.progress(1)]
        readable.append(sum(memo.counts.terminal for memo in memos if memo))

    mill.fakes.hears = look
    async with working(mill):
        await mill.start()
        await until(lambda: told(mill) == [("job.progress", 25)])
        gate.set()
        await mill.ended()
    assert readable[0] >= mill.fakes.told[0].counts.terminal == 4


async def test_holds_are_told_with_their_reason_and_each_with_a_number(engine: Client) -> None:
    mill = Mill(engine, FakeActivities([[100] * 3]), cap=100, on_exhausted="hold", events=["job.held"])
    async with working(mill):
        await mill.start()
        await until(lambda: len(mill.fakes.told) == 1)
        await mill.set_budget(cap=200)
        await until(lambda: len(mill.fakes.told) == 2)
        await mill.set_budget(cap=300)
        await mill.ended()
    assert told(mill) == [("job.held", 1), ("job.held", 2)]
    assert [notice.hold and notice.hold.code for notice in mill.fakes.told] == ["budget", "budget"]
    assert len({event_id(mill.job, notice.type, notice.number) for notice in mill.fakes.told}) == 2


async def test_a_job_without_a_webhook_has_nothing_of_it_in_its_history(engine: Client) -> None:
    async with working(Mill(engine, FakeActivities([[10, 10]]))) as mill:
        await mill.run()
        names = activities(await mill.handle.fetch_history())
    assert told(mill) == []
    assert set(names) == {"job.plan", "job.report"}


async def test_a_failed_and_a_cancelled_job_are_told(engine: Client) -> None:
    plan = Plan(failure="bad_manifest", failure_detail="line 3", items=2)
    async with working(Mill(engine, FakeActivities([], plan=plan), events=EVENTS)) as mill:
        await mill.run()
    assert told(mill) == [("job.failed", 1)]
    assert mill.fakes.told[0].failure == "bad_manifest"
    fakes = FakeActivities([[10, 10]], {(0, 0): [until_cancelled()]})
    async with working(Mill(engine, fakes, events=["job.cancelled"], place={"window": 1})) as mill:
        await mill.start()
        await mill.calls(1)
        await mill.cancel()
        await mill.ended()
    assert told(mill) == [("job.cancelled", 1)]


async def test_a_duplicate_tells_nothing(engine: Client) -> None:
    async with working(Mill(engine, FakeActivities([[1]], plan=Plan(duplicate=True)), events=EVENTS)) as mill:
        await mill.run()
    assert told(mill) == []


async def test_buying_goes_on_while_an_event_can_not_be_told_and_the_order_is_kept(engine: Client) -> None:
    mill = Mill(engine, FakeActivities([[10, 10]] * 2), events=EVENTS)
    mill.fakes.hears = away = Away()
    async with working(mill):
        await mill.start()
        await mill.becomes("completed")
        await until(lambda: away.tries >= 2)
        assert told(mill) == []
        assert (await mill.handle.describe()).status.name == "RUNNING"  # type: ignore[union-attr]
        away.mended.set()
        summary = await mill.ended()
    assert summary.state == "completed"
    kinds = [kind for kind, _ in told(mill)]
    assert (kinds[0], kinds[-1]) == ("job.running", "job.completed")
    assert len(set(told(mill))) == len(told(mill))


async def test_a_cancel_by_hand_while_events_are_to_be_told_loses_none(engine: Client) -> None:
    mill = Mill(engine, FakeActivities([[10]]), events=["job.completed"])
    mill.fakes.hears = away = Away()
    async with working(mill):
        await mill.start()
        await mill.becomes("completed")
        await mill.handle.cancel()
        away.mended.set()
        await mill.ended()
    assert told(mill) == [("job.completed", 1)]


async def test_what_is_yet_to_be_told_is_carried_over_a_continue_as_new(
    engine: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "CONTINUE_AS_NEW_EVENTS", 20)
    mill = Mill(engine, FakeActivities([[10]] * 12), events=EVENTS, place={"chunks_at_once": 1})
    mill.fakes.hears = away = Away()
    async with working(mill):
        await mill.start()
        await mill.becomes("completed")
        assert away.tries
        away.mended.set()
        await mill.ended()
        assert (await mill.handle.describe()).run_id != (mill.started and mill.started.first_execution_run_id)
    numbers = list(dict.fromkeys(told(mill)))
    assert numbers[0] == ("job.running", 1)
    assert numbers[-1] == ("job.completed", 1)
    assert [number for kind, number in numbers if kind == "job.progress"] == [25, 50, 75]


async def test_a_webhook_that_is_set_while_the_job_runs_is_told_what_comes(engine: Client) -> None:
    gate = asyncio.Event()
    mill = Mill(engine, FakeActivities([[10]], {(0, 0): [when(gate, bought(4))]}))
    async with working(mill):
        await mill.start()
        await mill.calls(1)
        await mill.handle.signal(SET_WEBHOOK, WebhookSignal(events=["job.completed"]))
        gate.set()
        await mill.ended()
    assert told(mill) == [("job.completed", 1)]


async def test_a_webhook_that_is_set_late_hears_of_quarters_too(engine: Client) -> None:
    gates = [asyncio.Event() for _ in range(8)]
    steps: dict[tuple[int, int], list[Step]] = {(0, n): [when(gate)] for n, gate in enumerate(gates)}
    mill = Mill(engine, FakeActivities([[10] * 8], steps))
    async with working(mill):
        await mill.start()
        await mill.calls(8)
        await mill.handle.signal(SET_WEBHOOK, WebhookSignal(events=["job.progress"]))
        for gate in gates[:2]:
            gate.set()
        await until(lambda: told(mill) == [("job.progress", 25)])
        for gate in gates:
            gate.set()
        await mill.ended()


async def test_a_webhook_that_is_removed_is_told_nothing_more(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = FakeActivities([[10]], {(0, 0): [when(gate, bought(4))]})
    async with working(Mill(engine, fakes, events=["job.completed"])) as mill:
        await mill.start()
        await mill.calls(1)
        await mill.handle.signal(SET_WEBHOOK, WebhookSignal())
        gate.set()
        await mill.ended()
    assert told(mill) == []
