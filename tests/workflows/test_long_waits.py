"""Waits of minutes and hours, on the engine that skips them.

It skips time only while somebody awaits a result and nothing works; activities take real time there.
"""

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from imagemill.domain.messages import Times
from tests.fakes.activities import FakeActivities, Step, account, bought, bug
from tests.workflows.mill import Mill, working
from workflows import policies

SLOW = Times(call_deadline=600, heartbeat_timeout=120, start_to_close=86_400, sweep=300)


def mill_of(skipping: WorkflowEnvironment, maxima: list[list[int]], *steps: Step, **place: object) -> Mill:
    return Mill(skipping.client, FakeActivities(maxima, {(0, 0): list(steps)}), SLOW, place=dict(place))


def waits(history: WorkflowHistory) -> list[float]:
    """The timers of a run, in seconds."""
    timers = (event.timer_started_event_attributes for event in history.events if event.event_type)
    return [timer.start_to_fire_timeout.ToTimedelta().total_seconds() for timer in timers if timer.timer_id]


async def test_an_account_in_trouble_is_probed_ever_more_seldom_until_it_is_mended(
    skipping: WorkflowEnvironment,
) -> None:
    async with working(mill_of(skipping, [[10]], *[account()] * 7, bought(4))) as mill:
        summary = await mill.run()
    assert [round(wait) for wait in waits(await mill.handle.fetch_history())] == [
        15,
        30,
        60,
        120,
        240,
        300,
        300,
    ]
    assert summary.state == "completed"
    assert (summary.ended.settled_nano, summary.ended.written_off_nano) == (4, 0)


async def test_after_a_probe_that_succeeds_the_whole_window_runs_again(skipping: WorkflowEnvironment) -> None:
    fakes = FakeActivities([[10] * 5], {(0, i): [account()] for i in range(5)})
    async with working(Mill(skipping.client, fakes, SLOW)) as mill:
        summary = await mill.run()
    assert summary.state == "completed"
    # All were under way as the trouble began; then one probes, and is told of the trouble no more.
    assert len(fakes.calls) == 10
    probes = [wait for wait in waits(await mill.chunk(0).fetch_history()) if wait != SLOW.sweep / 2]
    assert len(probes) == 1


async def test_a_job_reads_held_while_all_its_chunks_hold(skipping: WorkflowEnvironment) -> None:
    steps: list[Step] = [account("invalid_api_key")] * 3
    fakes = FakeActivities([[10], [10]], {(0, 0): [*steps], (1, 0): [*steps]})
    async with working(Mill(skipping.client, fakes, SLOW)) as mill:
        await mill.start()
        await mill.becomes("held")
        hold = (progress := await mill.progress(0)) and progress.hold
        assert hold
        assert hold.code == "invalid_api_key"
        summary = await mill.ended()
    assert summary.state == "completed"


async def test_the_only_item_of_a_job_reads_held(skipping: WorkflowEnvironment) -> None:
    async with working(mill_of(skipping, [[10]], account())) as mill:
        await mill.start()
        await mill.becomes("held")
        assert (await mill.summary()).ended.hold
        summary = await mill.ended()
    assert summary.state == "completed"
    assert summary.ended.hold is None


async def test_a_held_job_can_be_cancelled(skipping: WorkflowEnvironment) -> None:
    async with working(mill_of(skipping, [[10]], account())) as mill:
        await mill.start()
        await mill.becomes("held")
        await mill.cancel()
        summary = await mill.ended()
    assert summary.state == "cancelled"
    assert len(mill.fakes.calls) == 1


async def test_a_lost_call_is_looked_for_until_its_deadline_before_it_is_bought_again(
    skipping: WorkflowEnvironment,
) -> None:
    async with working(mill_of(skipping, [[10]], bug())) as mill:
        await mill.run()
    assert sum(waits(await mill.handle.fetch_history())) >= SLOW.call_deadline
    assert len(mill.fakes.looks) == 1 + len(policies.look_waits(SLOW))
    assert len(mill.fakes.calls) == 2
