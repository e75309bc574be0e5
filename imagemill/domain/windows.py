"""Days and months in a tenant's time zone."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name such as ``Europe/Berlin``, or of an offset such as ``+05:30``.

    Raises:
        ValueError: it is neither.
    """
    if offset := _OFFSET.fullmatch(name):
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        if span < timedelta(hours=24) and int(offset[3]) < 60:
            return timezone(-span if offset[1] == "-" else span)
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: give a name such as Europe/Berlin, or +05:30") from None


def day_of(moment: datetime, zone_name: str) -> date:
    """The day that it is there, then."""
    return moment.astimezone(zone(zone_name)).date()


def end_of_day(moment: datetime, zone_name: str) -> datetime:
    """When that day ends, in UTC. Days are as long as the zone says: 23 to 25 hours."""
    there = zone(zone_name)
    midnight = datetime.combine(day_of(moment, zone_name) + timedelta(days=1), time(), there)
    return midnight.astimezone(UTC)


def end_of_month(moment: datetime, zone_name: str) -> datetime:
    """When that month ends, in UTC."""
    there = zone(zone_name)
    first = day_of(moment, zone_name).replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return datetime.combine(following, time(), there).astimezone(UTC)


def month(day: date) -> str:
    """The month that a day is in, as ``2026-11``."""
    return f"{day:%Y-%m}"


def month_before(day: date) -> str:
    """The month before the one that a day is in."""
    return month(day.replace(day=1) - timedelta(days=1))
