"""When a schedule runs, in words."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.schedules import Calendar, Spec, cron_problem
from imagemill.schedule_words import in_words


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 6 * * 1", "Every Monday at 06:00"),
        ("0 18 * * 1-5", "Every Monday through Friday at 18:00"),
        ("30 2 * * *", "Every day at 02:30"),
        ("@daily", "Every day at 00:00"),
        ("0 0 1 * *", "On day 1 of the month at 00:00"),
        ("*/15 9-17 * * *", "Every 15 minutes, between 09:00 and 17:59"),
        ("0 6 1 1 * 2027", "At 06:00, on day 1 of the month, only in January, only in 2027"),
        ("0 0 6 * * 7 *", "Every Sunday at 06:00"),
        ("0 9 1-7 * 1", "At 09:00, between day 1 and 7 of the month, and only on Monday"),
    ],
)
def test_cron(cron: str, words: str) -> None:
    assert in_words(Spec(cron=[cron], time_zone="Europe/Berlin")) == f"{words}, Europe/Berlin"


def test_all_that_a_spec_can_say() -> None:
    spec = Spec(
        cron=["0 6 * * 1"],
        calendars=[Calendar(day_of_month="1", hour="8", comment="invoices"), Calendar(hour="9", second="30")],
        every_seconds=5400,
        time_zone="America/New_York",
        jitter_seconds=600,
        start=datetime(2027, 1, 1, 5, tzinfo=UTC),
        end=datetime(2027, 7, 1, 4, tzinfo=UTC),
    )

    assert in_words(spec) == (
        "Every Monday at 06:00; On day 1 of the month at 08:00 (invoices); At 09:00:30; Every 90 minutes, "
        "America/New_York, each put off by up to 10 minutes, from 2027-01-01 00:00, until 2027-07-01 00:00"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(60, "Every minute"), (3600, "Every hour"), (86_400, "Every day"), (90, "Every 90 seconds")],
)
def test_intervals(seconds: int, words: str) -> None:
    assert in_words(Spec(every_seconds=seconds)) == f"{words}, UTC"


FIELDS = st.sampled_from(["*", "?", "1", "1-3", "*/2", "1,3", "2/3", "jan", "mon", "1-5/2"])


@given(st.lists(FIELDS, min_size=5, max_size=7).map(" ".join))
def test_whatever_can_be_kept_has_words(cron: str) -> None:
    if cron_problem(cron) is None:
        assert in_words(Spec(cron=[cron])).endswith(", UTC")
