from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.windows import day_of, end_of_day, end_of_month, month, month_before, zone

BERLIN = "Europe/Berlin"
ZONES = st.sampled_from(["UTC", BERLIN, "+05:30", "-09:30", "America/Los_Angeles", "Pacific/Auckland"])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
INSTANT = timedelta(microseconds=1)


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("noon", "begins", "ends"),
    [
        ("2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("2026-07-01T12:00", "2026-06-30T22:00", "2026-07-01T22:00"),  # 24 hours, in summer
    ],
)
def test_days_are_as_long_as_the_zone_says(noon: str, begins: str, ends: str) -> None:
    assert end_of_day(at(begins) - INSTANT, BERLIN) == at(begins)
    assert end_of_day(at(begins), BERLIN) == end_of_day(at(noon), BERLIN) == at(ends)
    assert day_of(at(begins), BERLIN) == day_of(at(noon), BERLIN) == date.fromisoformat(noon[:10])


@pytest.mark.parametrize("moment", ["2026-10-25T00:30", "2026-10-25T01:30"])
def test_the_hour_that_comes_twice_is_in_one_day(moment: str) -> None:
    assert day_of(at(moment), BERLIN) == date(2026, 10, 25)
    assert end_of_day(at(moment), BERLIN) == at("2026-10-25T23:00")


@pytest.mark.parametrize(
    ("name", "midnight"),
    [("+05:30", "2026-11-20T18:30"), ("-09:30", "2026-11-21T09:30"), ("UTC", "2026-11-21")],
)
def test_a_day_begins_at_the_midnight_of_its_zone(name: str, midnight: str) -> None:
    begins = at(midnight)

    assert day_of(begins - INSTANT, name) == date(2026, 11, 20)
    assert day_of(begins, name) == date(2026, 11, 21)
    assert end_of_day(begins, name) == begins + timedelta(days=1)


@pytest.mark.parametrize(
    "name",
    ["+24:00", "+5:30", "05:30", "+05:60", "+05:30:00", "-99:00", "+0530", "Mars/Olympus", "", "../UTC"],
)
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        zone(name)


@pytest.mark.parametrize(
    ("moment", "name", "ends"),
    [
        ("2026-11-30T23:59", "UTC", "2026-12-01"),
        ("2026-12-31T22:59", BERLIN, "2026-12-31T23:00"),
        ("2026-12-31T23:00", BERLIN, "2027-01-31T23:00"),
        ("2026-12-01", "UTC", "2027-01-01"),
        ("2026-01-31T12:00", "UTC", "2026-02-01"),
        ("2028-02-29T12:00", "UTC", "2028-03-01"),
        ("2026-02-28T18:30", "+05:30", "2026-03-31T18:30"),
        ("2026-03-15T00:00", BERLIN, "2026-03-31T22:00"),
        ("2026-12-31T23:59", "-09:30", "2027-01-01T09:30"),
    ],
)
def test_months_end_at_the_midnight_of_their_zone(moment: str, name: str, ends: str) -> None:
    assert end_of_month(at(moment), name) == at(ends)


@given(MOMENTS, ZONES)
def test_a_window_ends_after_each_of_its_moments_and_the_next_begins_there(now: datetime, name: str) -> None:
    midnight, turn = end_of_day(now, name), end_of_month(now, name)

    assert now < midnight <= turn
    assert (
        timedelta(hours=23)
        <= midnight - end_of_day(midnight - timedelta(hours=26), name)
        <= timedelta(hours=49)
    )
    assert day_of(midnight - INSTANT, name) == day_of(now, name)
    assert day_of(midnight, name) == day_of(now, name) + timedelta(days=1)
    assert month(day_of(turn - INSTANT, name)) == month(day_of(now, name))
    assert day_of(turn, name).day == 1


@pytest.mark.parametrize(
    ("day", "before"),
    [
        (date(2026, 1, 1), "2025-12"),
        (date(2026, 1, 31), "2025-12"),
        (date(2026, 3, 31), "2026-02"),
        (date(2026, 12, 31), "2026-11"),
    ],
)
def test_the_month_before(day: date, before: str) -> None:
    assert month_before(day) == before
    assert month(date.fromisoformat(f"{before}-28")) == before
