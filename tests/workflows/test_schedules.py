"""Schedules on the real engine: which times there are, and what becomes of each."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from imagemill.domain.errors import InvalidInput
from imagemill.domain.places import schedule_key
from imagemill.domain.schedules import Calendar, Overlap, Spec
from imagemill.payloads import PAYLOADS
from imagemill.ports import ScheduleChange
from imagemill.schedules_engine import TemporalSchedules
from sandbox.stack import LocalStack, StackOptions
from tests.fakes.store import MemoryStore
from tests.workflows.mill import QUICK, until
from tests.workflows.timetable import LONG, Timetable, schedule_of, timetable, worker

NEVER = Spec(cron=["0 0 1 1 * 2099"])
"""Runs by triggers and backfills alone."""
BERLIN = Spec(cron=["30 2 * * *"], time_zone="Europe/Berlin")
SPRING = datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 23, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC)


def utc(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}:00+00:00")


NIGHTS = {
    SPRING: [utc("2026-03-28T01:30"), utc("2026-03-30T00:30")],
    AUTUMN: [utc("2026-10-24T00:30"), utc("2026-10-25T01:30"), utc("2026-10-26T01:30")],
}
"""Half past two does not come when the clock goes forward, and is run once when it comes twice."""


async def test_what_a_preview_shows_is_what_runs_through_both_changes_of_the_clock(engine: Client) -> None:
    async with timetable(engine, BERLIN, overlap="allow_all") as table:
        for (start, end), times in NIGHTS.items():
            assert await table.schedules.times_of(table.id, start, end, 100) == times
            await table.schedules.backfill(table.id, start, end, at_once=True)
        await table.runs(5)
        assert table.at() == [time for times in NIGHTS.values() for time in times]
        assert sorted(record.number for record in table.records()) == [1, 2, 3, 4, 5]


async def test_times_of_a_range_are_those_of_its_ends_too(engine: Client) -> None:
    async with timetable(engine, Spec(cron=["0 * * * *"])) as table:
        noon = datetime(2027, 1, 1, 12, tzinfo=UTC)
        hours = [noon + timedelta(hours=n) for n in range(3)]
        assert await table.schedules.times_of(table.id, noon, hours[2], 100) == hours
        assert await table.schedules.times_of(table.id, noon, hours[2], 2) == hours[:2]
        more = await table.schedules.times_of(table.id, noon, noon + timedelta(hours=2000), 1500)
        assert len(set(more)) == 1500, "more than the engine lists at once"
        await table.schedules.backfill(table.id, noon, hours[2], at_once=True)
        await table.runs(3)
        assert table.at() == hours


async def test_calendars_are_read_as_they_are_written(engine: Client) -> None:
    monday = Calendar(day_of_week="mon", day_of_month="1-7", hour="8,20", minute="*/30")
    async with timetable(engine, Spec(calendars=[monday])) as table:
        start = datetime(2027, 1, 1, tzinfo=UTC)
        times = await table.schedules.times_of(table.id, start, start + timedelta(days=30), 100)
    assert [f"{time:%d %H:%M}" for time in times] == ["04 08:00", "04 08:30", "04 20:00", "04 20:30"]


async def test_a_spec_that_the_engine_refuses_is_told(engine: Client) -> None:
    schedules = TemporalSchedules(engine)
    with pytest.raises(InvalidInput, match="/spec"):
        await schedules.create(schedule_of(Spec(cron=["99 * * * *"])), QUICK)


async def test_two_triggers_of_one_second_and_repeated_backfills_make_one_job(engine: Client) -> None:
    async with timetable(engine, Spec(cron=["0 * * * *"]), overlap="allow_all") as table:
        at = utc("2027-01-01T12:00")
        for _ in range(2):  # the second while the first may still run
            await table.schedules.trigger(table.id, at)
        ends = await table.ended(at)
        for _ in range(2):
            await table.schedules.backfill(table.id, at, at, at_once=True)
            ends = await table.ended(at, len(ends) + 1)
        assert [end.outcome for end in ends] == ["ran", *["duplicate"] * (len(ends) - 1)]
        assert {end.job for end in ends} == {table.records()[0].job}
        assert await table.job_runs(at) == 1
        assert [record.number for record in table.records()] == [1]


NOON, LATER, LAST = (utc(f"2027-01-01T{hour}:00") for hour in (12, 13, 14))


async def both_triggered(table: Timetable) -> None:
    """A run is under way, and a second time comes."""
    await table.schedules.trigger(table.id, NOON)
    await table.runs(1)
    await table.schedules.trigger(table.id, LATER)


async def test_a_time_that_comes_during_a_run_is_skipped(engine: Client) -> None:
    async with timetable(engine, NEVER, name=LONG) as table:
        await both_triggered(table)

        async def skipped() -> bool:
            facts = await table.schedules.describe(table.id)
            return facts is not None and facts.skipped == 1 and list(facts.under_way) == [NOON]

        await until(skipped)
        await table.finish(NOON)
        [end] = await table.ended(NOON)
        assert (end.outcome, end.state) == ("ran", "completed")
        await table.schedules.trigger(table.id, LAST)
        await table.runs(2)
        assert table.at() == [NOON, LAST]
        await table.finish(LAST)


@pytest.mark.parametrize(
    ("overlap", "then"), [("buffer_one", [NOON, LATER]), ("buffer_all", [NOON, LATER, LAST])]
)
async def test_a_time_that_comes_during_a_run_waits(
    engine: Client, overlap: Overlap, then: list[datetime]
) -> None:
    async with timetable(engine, NEVER, name=LONG, overlap=overlap) as table:
        await both_triggered(table)
        await table.schedules.trigger(table.id, LAST)
        for number, at in enumerate(then, 1):
            await table.runs(number)
            assert len(table.records()) == number, "the next one waits for the end of this one"
            await table.finish(at)
            await table.ended(at)
        assert table.at() == then


async def test_a_run_is_cancelled_by_the_next_which_begins_when_it_has_ended(engine: Client) -> None:
    async with timetable(engine, NEVER, name=LONG, overlap="cancel_other") as table:
        await both_triggered(table)
        [end] = await table.ended(NOON)
        assert (end.outcome, end.state) == ("ran", "cancelled"), "its job was told, and came to its own end"
        await table.runs(2)
        await table.finish(LATER)
        assert table.at() == [NOON, LATER]


async def test_a_run_whose_job_was_ended_from_outside_ends(engine: Client) -> None:
    async with timetable(engine, NEVER, name=LONG) as table:
        await table.schedules.trigger(table.id, NOON)
        await table.runs(1)
        job = table.records()[0].job

        async def there() -> bool:
            return await table.job_runs(NOON) == 1

        await until(there)
        await engine.get_workflow_handle(job).terminate()
        [end] = await table.ended(NOON)
        assert (end.outcome, end.state) == ("ran", None)


async def test_it_runs_so_often_and_no_more(engine: Client) -> None:
    every_second = Spec(every_seconds=1)
    async with timetable(engine, every_second, overlap="allow_all") as table:
        await table.go(runs=2)
        await table.runs(2)
        until_then = datetime.now(UTC) + timedelta(seconds=2)
        await until(lambda: datetime.now(UTC) > until_then)
        facts = await table.schedules.describe(table.id)
        assert facts is not None
        assert facts.runs_left == 0
        assert len(table.records()) == 2
        await table.schedules.trigger(table.id, NOON)  # a trigger does not count
        await table.runs(3)


async def test_a_paused_one_runs_nothing_by_itself(engine: Client) -> None:
    async with timetable(engine, Spec(every_seconds=1), overlap="allow_all") as table:
        until_then = datetime.now(UTC) + timedelta(seconds=2)
        await table.schedules.trigger(table.id, NOON)
        await table.runs(1)
        await until(lambda: datetime.now(UTC) > until_then)
        assert table.at() == [NOON]
        await table.go(note="go")
        await table.runs(2)
        paused = ScheduleChange(paused=True, note="enough")
        await table.schedules.change(table.schedule, QUICK, paused)
        facts = await table.schedules.describe(table.id)
        assert facts is not None
        assert (facts.paused, facts.note) == (True, "enough")
        assert min(time for time in table.at() if time != NOON) >= until_then - timedelta(seconds=1), (
            "what passed while it was paused is not made up for"
        )


async def test_a_deleted_schedule_starts_nothing_more(engine: Client) -> None:
    async with timetable(engine, NEVER) as table:
        await table.schedules.trigger(table.id, NOON)
        await table.ended(NOON)
        await table.control.delete(schedule_key("acme", table.id))
        await table.schedules.trigger(table.id, LATER)

        [end] = await table.ended(LATER)
        assert (end.outcome, end.problem) == ("no_run", "the schedule has been deleted")
        assert table.at() == [NOON]
        await table.schedules.delete(table.id)
        assert await table.schedules.describe(table.id) is None
        assert not await table.schedules.trigger(table.id, LAST)
        assert await table.schedules.times_of(table.id, NOON, LAST, 5) == []


async def test_what_passed_while_the_engine_was_away_is_run_when_it_is_back(tmp_path: Path) -> None:
    """Seconds stand for the hours of a day: the catch-up window is the same to the engine."""
    control = MemoryStore()
    schedule = schedule_of(Spec(every_seconds=1), overlap="allow_all", catchup_seconds=3600)
    await control.put(schedule_key("acme", schedule.id), schedule.model_dump_json().encode())
    options = StackOptions(data_dir=tmp_path, parts={"temporal"})
    async with LocalStack(options) as stack:
        client = await _connect(stack)
        schedules = TemporalSchedules(client)
        await schedules.create(schedule, QUICK)
        await schedules.change(schedule, QUICK, ScheduleChange(paused=False))

        async def begun() -> bool:
            described = await client.get_schedule_handle(schedule.id).describe()
            return described.info.num_actions > 0

        await until(begun)
        gone = datetime.now(UTC)
    until_then = gone + timedelta(seconds=3)
    await until(lambda: datetime.now(UTC) > until_then)
    async with LocalStack(options) as stack:
        client = await _connect(stack)
        back = datetime.now(UTC)
        table = Timetable(client, TemporalSchedules(client), control, schedule)
        async with worker(client, "imagemill", control):
            first = gone.replace(microsecond=0) + timedelta(seconds=1)
            wanted = {first + timedelta(seconds=n) for n in range(int((back - first).total_seconds()))}
            await until(lambda: wanted <= set(table.at()), 30)
            await table.schedules.delete(schedule.id)
    assert len(wanted) >= 2


async def _connect(stack: LocalStack) -> Client:
    address = stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"]
    return await Client.connect(address, data_converter=PAYLOADS)
