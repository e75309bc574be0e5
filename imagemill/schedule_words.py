"""When a schedule runs, in words."""

import re
from datetime import datetime

from cron_descriptor import (  # type: ignore[import-untyped]
    ExpressionDescriptor,
    FormatError,
    MissingFieldError,
    Options,
    WrongArgumentError,
)

from imagemill.domain.schedules import ALIASES, Calendar, Spec
from imagemill.domain.windows import zone

_DAILY = re.compile(r"At (\d\d:\d\d)")
_ON_DAYS = re.compile(r"At (\d\d:\d\d), (?:only on )?([A-Z][a-z]+day.*)")
_OF_MONTH = re.compile(r"At (\d\d:\d\d), on (day [^,]+)")
_UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def in_words(spec: Spec) -> str:
    """All of a spec, such as ``Every Monday at 06:00, Europe/Berlin``."""
    times = [_cron(text) for text in spec.cron]
    times += [_calendar(calendar) for calendar in spec.calendars]
    times += [f"Every {_span(spec.every_seconds)}"] if spec.every_seconds else []
    parts = ["; ".join(times), spec.time_zone]
    parts += [f"each put off by up to {_span(spec.jitter_seconds, one=True)}"] if spec.jitter_seconds else []
    parts += [f"from {_moment(spec.start, spec)}"] if spec.start else []
    parts += [f"until {_moment(spec.end, spec)}"] if spec.end else []
    return ", ".join(parts)


def _cron(text: str) -> str:
    """A cron expression; itself, where nobody has words for it."""
    options = Options(use_24hour_time_format=True, locale_code="en_US")
    try:
        said: str = ExpressionDescriptor(ALIASES.get(text.strip().lower(), text), options).get_description()
    except (FormatError, MissingFieldError, WrongArgumentError, ValueError, IndexError):
        return text
    said = said.replace(", or ", ", and only ")  # the engine wants both the day of the month and of the week
    if daily := _DAILY.fullmatch(said):
        return f"Every day at {daily[1]}"
    if days := _ON_DAYS.fullmatch(said):
        return f"Every {days[2]} at {days[1]}"
    if month := _OF_MONTH.fullmatch(said):
        return f"On {month[2]} at {month[1]}"
    return said


def _calendar(calendar: Calendar) -> str:
    """A calendar, by the cron expression that names the same times; its comment behind it."""
    fields = [calendar.minute, calendar.hour, calendar.day_of_month, calendar.month, calendar.day_of_week]
    if calendar.second != "0":
        fields = [calendar.second, *fields, calendar.year]
    elif calendar.year != "*":
        fields.append(calendar.year)
    said = _cron(" ".join(fields))
    return f"{said} ({calendar.comment})" if calendar.comment else said


def _span(seconds: int, *, one: bool = False) -> str:
    """``2 hours``; of a single one, ``hour`` or ``1 hour``."""
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    return unit if seconds == size and not one else f"{seconds // size} {unit}{'s' * (seconds != size)}"


def _moment(moment: datetime, spec: Spec) -> str:
    return f"{moment.astimezone(zone(spec.time_zone)):%Y-%m-%d %H:%M}"
