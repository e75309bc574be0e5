"""Times and fields of schedules."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.status import JOB_ID
from imagemill.domain.ids import made_at
from imagemill.domain.job import ScheduledRun
from imagemill.domain.schedules import RUN_FIELDS, cron_problem, job_of, ranges, run_values

MOMENTS = st.integers(946_684_800, 4_070_908_800).map(lambda at: datetime.fromtimestamp(at, UTC))


@given(MOMENTS, st.integers(0, 999_999))
def test_a_second_of_a_schedule_is_one_job(at: datetime, micro: int) -> None:
    job = job_of("sched_1", at)

    assert job == job_of("sched_1", at + timedelta(microseconds=micro))
    assert JOB_ID.fullmatch(job)
    assert len(job) == 30
    assert made_at(job) == at.timestamp()
    assert job != job_of("sched_2", at)
    assert job != job_of("sched_1", at + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("at", "date", "time", "weekday"),
    [
        ("2026-03-28T23:30:00+00:00", "2026-03-29", "00:30", "Sunday"),
        ("2026-03-29T01:00:00+00:00", "2026-03-29", "03:00", "Sunday"),
        ("2026-10-25T00:30:00+00:00", "2026-10-25", "02:30", "Sunday"),
        ("2026-10-25T01:30:00+00:00", "2026-10-25", "02:30", "Sunday"),
        ("2026-12-31T23:00:00+00:00", "2027-01-01", "00:00", "Friday"),
    ],
)
def test_a_run_has_the_date_that_it_is_where_the_schedule_is(
    at: str, date: str, time: str, weekday: str
) -> None:
    run = ScheduledRun(schedule="s", number=7, at=datetime.fromisoformat(at), time_zone="Europe/Berlin")
    values = run_values(run)

    assert tuple(values) == RUN_FIELDS
    assert (values["date"], values["time"], values["weekday"]) == (date, time, weekday)
    assert f"{values['year']}-{values['month']}-{values['day']}" == date
    assert values["number"] == 7


@pytest.mark.parametrize(
    ("field", "text", "found"),
    [
        ("year", "*", []),
        ("year", "2027-2029", [(2027, 2029, 1)]),
        ("hour", "*", [(0, 23, 1)]),
        ("hour", "*/10", [(0, 23, 10)]),
        ("hour", "8/4", [(8, 23, 4)]),
        ("hour", "8-18/2,22", [(8, 18, 2), (22, 22, 1)]),
        ("month", "Jan,march-may", [(1, 1, 1), (3, 5, 1)]),
        ("day_of_week", "fri-7", [(0, 0, 1), (5, 5, 1), (6, 6, 1)]),
        ("day_of_week", "sun", [(0, 0, 1)]),
        ("day_of_week", "*", [(day, day, 1) for day in range(7)]),
        ("day_of_month", "?", [(1, 31, 1)]),
    ],
)
def test_fields_are_read_as_cron_has_them(field: str, text: str, found: list[tuple[int, int, int]]) -> None:
    assert ranges(field, text) == found


@pytest.mark.parametrize("text", ["", "x", "-1", "24", "5-2", "1,,2", "*/0", "1/x", "²", "mon"])
def test_what_is_no_field_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="hour"):
        ranges("hour", text)


@pytest.mark.parametrize(
    "text", ["0 6 * * 1", "@daily", "0 6 1 1 * 2027", "0 0 6 * * mon *", " 0 6 * * 1-5 "]
)
def test_sound_cron_expressions(text: str) -> None:
    assert cron_problem(text) is None


@given(st.text(max_size=60))
def test_a_problem_of_a_cron_expression_is_a_sentence_and_no_crash(text: str) -> None:
    problem = cron_problem(text)
    assert problem is None or len(problem) > 10
