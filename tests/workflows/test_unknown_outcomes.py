"""What is done where nobody can say whether a call was billed."""

import pytest
from temporalio.client import Client

from imagemill.domain.errors import NotBilled, NotSent, OutcomeUnknown
from imagemill.domain.item import ItemRecord
from imagemill.domain.messages import ImageOutcome
from imagemill.domain.pools import quarantine_of
from tests.fakes.activities import FakeActivities, Step, answers, beating, bought, bug, fails, silent
from tests.workflows.mill import LOSING, QUICK, Mill, working


def one(client: Client, *steps: Step, **place: object) -> Mill:
    """A job of one item of at most 100, whose calls go like this."""
    return Mill(client, FakeActivities([[100]], {(0, 0): list(steps)}), LOSING, place=dict(place))


def item(mill: Mill) -> ItemRecord:
    return mill.fakes.results[0][0]


async def test_a_lost_call_is_written_off_and_bought_again_in_quarantine(engine: Client) -> None:
    async with working(one(engine, silent(), bought(40))) as mill:
        summary = await mill.run()
    assert summary.state == "completed"
    assert (summary.ended.settled_nano, summary.ended.written_off_nano) == (40, 100)
    assert [call.attempt for call in mill.fakes.calls] == [1, 1]
    assert [call.queue for call in mill.fakes.calls] == [
        mill.workplace.image_queue,
        quarantine_of(mill.workplace.image_queue),
    ]
    assert [(a.outcome, a.code) for a in item(mill).attempts] == [
        ("written_off", "worker_lost"),
        ("settled", None),
    ]


async def test_a_lost_call_whose_image_turns_up_is_settled_instead(engine: Client) -> None:
    mill = one(engine, silent())
    mill.times = LOSING.model_copy(update={"call_deadline": 1})
    mill.fakes.appears_at_look[0, 0] = 2
    async with working(mill):
        summary = await mill.run()
    assert len(mill.fakes.calls) == 1
    assert len(mill.fakes.looks) == 2
    assert (summary.ended.settled_nano, summary.ended.written_off_nano) == (7, 0)
    assert [(a.outcome, a.cost_nano) for a in item(mill).attempts] == [("recovered", 7)]
    assert item(mill).cost_nano == 7


async def test_only_the_write_off_that_the_image_names_becomes_a_settlement(engine: Client) -> None:
    mill = one(engine, bug(), bug())
    mill.fakes.appears_at_look[0, 0] = 2  # each loss is looked for once
    async with working(mill):
        summary = await mill.run()
    assert [a.outcome for a in item(mill).attempts] == ["written_off", "recovered"]
    assert (summary.ended.settled_nano, summary.ended.written_off_nano) == (7, 100)


async def test_an_item_is_given_up_after_three_lost_calls(engine: Client) -> None:
    async with working(one(engine, *[bug()] * 5)) as mill:
        summary = await mill.run()
    assert summary.state == "completed_with_errors"
    assert item(mill).state == "failed"
    assert item(mill).code == "unknown_outcome"
    assert len(mill.fakes.calls) == 3
    assert len({call.reservation for call in mill.fakes.calls}) == 3
    assert summary.ended.written_off_nano == 300


async def test_start_to_close_is_a_lost_call_too(engine: Client) -> None:
    mill = one(engine, beating(), bought(10))
    mill.times = LOSING.model_copy(update={"start_to_close": 1})
    async with working(mill):
        await mill.run()
    assert [(call.attempt, call.queue) for call in mill.fakes.calls] == [
        (1, mill.workplace.image_queue),
        (1, quarantine_of(mill.workplace.image_queue)),
    ]
    assert item(mill).attempts[0].outcome == "written_off"


async def test_a_failure_that_nobody_foresaw_counts_as_lost(engine: Client) -> None:
    async with working(one(engine, bug())) as mill:
        await mill.run()
    assert mill.fakes.looks
    assert item(mill).attempts[0].outcome == "written_off"


async def test_with_skip_a_lost_call_is_looked_for_but_not_bought_again(engine: Client) -> None:
    async with working(one(engine, bug(), on_unknown="skip")) as mill:
        await mill.run()
    assert mill.fakes.looks
    assert len(mill.fakes.calls) == 1
    assert item(mill).code == "unknown_outcome"


async def test_an_unknown_outcome_that_is_told_is_bought_again_without_a_look(engine: Client) -> None:
    async with working(one(engine, fails(OutcomeUnknown("http_500", "req_1")), bought(5))) as mill:
        await mill.run()
    assert not mill.fakes.looks
    assert {call.queue for call in mill.fakes.calls} == {mill.workplace.image_queue}
    first = item(mill).attempts[0]
    assert (first.outcome, first.code, first.request_id) == ("written_off", "http_500", "req_1")


async def test_told_and_lost_calls_count_together(engine: Client) -> None:
    told = fails(OutcomeUnknown("http_500"))
    async with working(one(engine, told, bug(), told)) as mill:
        await mill.run()
    assert len(mill.fakes.calls) == 3
    assert item(mill).code == "unknown_outcome"


async def test_no_purchase_after_the_first_goes_without_a_look_in_the_store(engine: Client) -> None:
    async with working(one(engine, fails(OutcomeUnknown("http_500")), bought(5))) as mill:
        await mill.run()
    assert [call.look_first for call in mill.fakes.calls] == [False, True]


@pytest.mark.parametrize("error", [NotSent("connect_failed"), NotBilled("rate_limited")])
async def test_what_was_not_bought_is_tried_again_under_the_same_reservation(
    engine: Client, error: Exception
) -> None:
    async with working(one(engine, fails(error), bought(5))) as mill:
        summary = await mill.run()
    assert [call.attempt for call in mill.fakes.calls] == [1, 2]
    assert len({call.reservation for call in mill.fakes.calls}) == 1
    assert [a.outcome for a in item(mill).attempts] == ["settled"]
    assert summary.ended.written_off_nano == 0


async def test_the_engine_waits_as_long_as_the_provider_asked(engine: Client) -> None:
    mill = one(engine, fails(NotBilled("rate_limited", retry_after=2.0)), bought(5))
    async with working(mill):
        await mill.run()
    history = await mill.handle.fetch_history()
    # Attempts leave no event; the last one's start is kept.
    activities = [e for e in history.events if e.HasField("activity_task_started_event_attributes")]
    second = next(e for e in activities if e.activity_task_started_event_attributes.attempt == 2)
    number = second.activity_task_started_event_attributes.scheduled_event_id
    scheduled = history.events[number - 1].event_time.ToDatetime()
    started = second.event_time.ToDatetime()
    assert (started - scheduled).total_seconds() >= 2


@pytest.mark.parametrize(("write_off", "written_off"), [(False, 0), (True, 100)])
async def test_a_blocked_item_is_paid_only_where_the_output_was_blocked(
    engine: Client, write_off: bool, written_off: int
) -> None:
    blocked = ImageOutcome(kind="refused", code="blocked", blocked=True, write_off=write_off)
    async with working(one(engine, answers(blocked))) as mill:
        summary = await mill.run()
    assert item(mill).state == "blocked"
    assert summary.ended.written_off_nano == written_off
    assert summary.ended.counts.blocked == 1
    assert len(mill.fakes.calls) == 1


async def test_each_purchase_has_a_reservation_of_its_own(engine: Client) -> None:
    told = fails(OutcomeUnknown("http_500"))
    fakes = FakeActivities([[10] * 4, [10] * 4], {(c, i): [told, told] for c in (0, 1) for i in range(4)})
    async with working(Mill(engine, fakes, QUICK)) as mill:
        await mill.run()
    assert len(fakes.calls) == 24
    assert len({call.reservation for call in fakes.calls}) == 24
