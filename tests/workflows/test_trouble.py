"""What a job does when a provider account is in trouble: another pool, a hold, a probe."""

import asyncio

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from imagemill.domain.messages import STORE_REFUSES, ImageOutcome, StoreRefuses, Times
from tests.fakes.activities import Call, FakeActivities, Step, answers, bought
from tests.workflows.mill import Mill, working
from workflows.trouble import ALIKE

SLOW = Times(call_deadline=600, heartbeat_timeout=120, start_to_close=86_400, sweep=300)


def by_queue(**steps: Step) -> Step:
    """What the call brings depends on the pool that it went to."""

    async def step(call: Call) -> ImageOutcome:
        return await steps[call.queue.split(".")[1]](call)

    return step


def dead(code: str = "invalid_api_key", wait: float | None = None) -> Step:
    return answers(ImageOutcome(kind="account", code=code, wait=wait))


def refused(code: str = "blocked") -> Step:
    return answers(ImageOutcome(kind="refused", code=code, blocked=True))


def mill_of(client: Client, items: int, *steps: Step, times: Times, **place: object) -> Mill:
    """A job whose items all go through the same steps, and may go to two pools."""
    script = {(0, index): list(steps) for index in range(items)}
    queues = [["images.first.main", "images.second.main"]]
    return Mill(client, FakeActivities([[10] * items], script, queues=queues), times, place=dict(place))


async def test_a_pool_in_trouble_is_left_for_the_next_one(engine: Client) -> None:
    step = by_queue(first=dead(), second=bought(3))
    async with working(mill_of(engine, 20, *[step] * 3, times=SLOW, window=4)) as mill:
        summary = await mill.run()
    assert summary.state == "completed"
    assert (summary.ended.settled_nano, summary.ended.written_off_nano) == (60, 0)
    tried_first = [call for call in mill.fakes.calls if call.queue == "images.first.main"]
    assert 1 <= len(tried_first) <= 4  # those that were under way when it was found out
    assert sum(call.queue == "images.second.main" for call in mill.fakes.calls) == 20


async def test_when_no_pool_is_left_the_job_holds_and_begins_with_the_first_again(
    skipping: WorkflowEnvironment,
) -> None:
    both_dead = by_queue(first=dead(), second=dead("insufficient_quota"))
    mended = by_queue(first=bought(3), second=dead())
    async with working(mill_of(skipping.client, 1, both_dead, both_dead, mended, times=SLOW)) as mill:
        summary = await mill.run()
    assert summary.state == "completed"
    assert [call.queue.split(".")[1] for call in mill.fakes.calls] == ["first", "second", "first"]


async def test_a_call_that_the_gate_kept_back_is_tried_when_the_pool_probes_and_is_no_attempt(
    skipping: WorkflowEnvironment,
) -> None:
    steps = [dead(wait=77.0), dead(wait=5.0), bought(3)]
    fakes = FakeActivities([[10]], {(0, 0): steps})
    async with working(Mill(skipping.client, fakes, SLOW)) as mill:
        summary = await mill.run()
        history = await mill.handle.fetch_history()
    timers = [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta().total_seconds()
        for event in history.events
        if event.HasField("timer_started_event_attributes")
    ]
    assert [round(seconds) for seconds in timers] == [77, 5]
    assert summary.ended.settled_nano == 3
    assert [attempt.outcome for attempt in fakes.results[0][0].attempts] == ["settled"]


async def test_many_refusals_alike_hold_the_job_instead_of_burning_its_items(engine: Client) -> None:
    items = 2 * ALIKE
    script = {(0, index): [refused()] for index in range(items)}
    fakes = FakeActivities([[10] * items], script)
    async with working(Mill(engine, fakes, place={"window": 1})) as mill:
        await mill.start()
        await mill.becomes("held")
        progress = await mill.progress(0)
        assert progress
        assert progress.hold
        assert progress.hold.code == "alike_refusals"
        assert len(fakes.calls) == ALIKE
        await mill.resume()
        summary = await mill.ended()
    assert summary.ended.counts.blocked == items


async def test_refusals_with_a_success_among_them_hold_nothing(engine: Client) -> None:
    items = 2 * ALIKE - 1
    script = {(0, index): [refused()] for index in range(items) if index != ALIKE - 1}
    async with working(Mill(engine, FakeActivities([[10] * items], script), place={"window": 1})) as mill:
        summary = await mill.run()
    assert (summary.ended.counts.blocked, summary.ended.counts.succeeded) == (items - 1, 1)


async def test_who_resumes_has_the_provider_tried_at_once(engine: Client) -> None:
    seen: list[bool] = []
    fakes = FakeActivities([[10]], {(0, 0): [dead(), bought(3)]})
    async with working(Mill(engine, fakes)) as mill:
        await mill.start()
        await mill.becomes("held")
        await mill.resume()
        summary = await mill.ended()
        seen = [call.insists for call in fakes.calls]
    assert summary.state == "completed"
    assert seen == [False, True]


async def test_a_store_that_refuses_holds_the_job_and_is_no_reason_for_another_pool(engine: Client) -> None:
    refused_twice = [dead("store_refused", wait=0.2)] * 2
    async with working(mill_of(engine, 1, *refused_twice, bought(3), times=SLOW)) as mill:
        summary = await mill.run()
    assert summary.state == "completed"
    assert {call.queue for call in mill.fakes.calls} == {"images.first.main"}
    assert len(mill.fakes.calls) == 3
    assert [attempt.outcome for attempt in mill.fakes.results[0][0].attempts] == ["settled"]


@pytest.mark.parametrize("items", [1, 3])
async def test_a_job_whose_paid_images_can_t_be_stored_shows_why(engine: Client, items: int) -> None:
    """All places of the workers are taken by what waits: nobody could answer another call."""
    stored = asyncio.Event()

    async def waits(call: Call) -> ImageOutcome:
        await stored.wait()
        return await bought(3)(call)

    script: dict[tuple[int, int], list[Step]] = {(0, 0): [waits]}
    async with working(Mill(engine, FakeActivities([[10] * items], script), place={"window": 1})) as mill:
        await mill.start()
        await mill.calls(1)
        handle = mill.chunk(0) if items > 1 else mill.handle
        await handle.signal(STORE_REFUSES, StoreRefuses(wait=0.1))
        await mill.becomes("held")
        assert len(mill.fakes.calls) == 1
        stored.set()
        summary = await mill.ended()
    assert summary.state == "completed"
    assert summary.ended.counts.succeeded == items
