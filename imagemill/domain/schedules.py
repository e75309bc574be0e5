"""Schedules: what is submitted by itself, when, and which job each of its times becomes."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from imagemill.domain.ids import id_of
from imagemill.domain.job import ScheduledRun, Submission
from imagemill.domain.windows import zone

Overlap = Literal["skip", "buffer_one", "buffer_all", "cancel_other", "allow_all"]
"""What becomes of a time that comes while an earlier run is still under way."""

CATCHUP_SECONDS = 86_400
"""So late a time may still be run, after the service was away."""

LEAST_APART = 60
"""Seconds between two times of a schedule, at least."""

BEING_MADE = "it is being made"
"""The note of one that the engine keeps paused until all else of it is there."""

RUN = "run"
"""The variable of templates that says which run of a schedule they are rendered for."""

OWN = "template"
"""By this name a row brings a template of its own to the renderer, in the place of those for all rows."""

RUN_FIELDS = ("date", "time", "year", "month", "day", "weekday", "number")
"""What templates of a schedule's job can say after ``run.``"""


class Calendar(BaseModel):
    """Times by the calendar, each field as in a cron expression: ``2-5``, ``*``, ``*/10``, ``1,15``."""

    year: str = "*"
    month: str = "*"
    day_of_month: str = "*"
    day_of_week: str = "*"
    """0 and 7 are Sunday."""
    hour: str = "0"
    minute: str = "0"
    second: str = "0"
    comment: str | None = None


class Spec(BaseModel):
    """When a schedule runs: at every time that any of cron, calendars and interval names."""

    cron: list[str] = Field(default_factory=list)
    calendars: list[Calendar] = Field(default_factory=list)
    every_seconds: int | None = None
    """Counted from the epoch, in UTC."""
    time_zone: str = "UTC"
    jitter_seconds: int = 0
    """Each start is put off by chance, by up to so much; the time that the run is for is not."""
    start: datetime | None = None
    end: datetime | None = None


class Schedule(BaseModel):
    """A schedule as it is kept; whether it is paused, its note and the runs left are in the engine."""

    id: str
    tenant: str
    name: str
    spec: Spec
    overlap: Overlap = "skip"
    catchup_seconds: int = CATCHUP_SECONDS
    month_nano: int | None = None
    """What all its runs may spend in a month; None: only each run's own cap counts."""
    budget_zone: str = "UTC"
    """Whose midnight ends the month."""
    job: dict[str, Any]
    """What it submits, as it was said."""
    template: Submission
    """The same as a submission, whose job, time and run are not known yet."""
    webhook_url: str | None = None
    """Where the events of its jobs go; which of them is in the template."""
    created_at: datetime
    deleted_at: datetime | None = None

    def submission(self, run: ScheduledRun, now: datetime) -> Submission:
        """What one of its runs submits."""
        job = job_of(self.id, run.at)
        return self.template.model_copy(update={"job": job, "run": run, "submitted_at": now}, deep=True)


class RunRecord(BaseModel):
    """A run as it is kept; what became of it is told by its job."""

    schedule: str
    number: int
    job: str
    at: datetime
    created_at: datetime


def job_of(schedule: str, at: datetime) -> str:
    """The id of the job that a time of a schedule becomes: one to a second, whoever asks and how often."""
    seconds = int(at.timestamp())
    rest = hashlib.sha256(f"{schedule}\0{seconds}".encode()).digest()[:10]
    return id_of("job", seconds * 1000, int.from_bytes(rest))


def is_template(text: str) -> bool:
    """Does it have anything of a template in it? What has not is left as it is."""
    return "{{" in text or "{%" in text


def run_values(run: ScheduledRun) -> dict[str, object]:
    """What templates see as ``run``: its number, and its date and time where the schedule is."""
    there = run.at.astimezone(zone(run.time_zone))
    return {
        "date": f"{there:%Y-%m-%d}",
        "time": f"{there:%H:%M}",
        "year": f"{there:%Y}",
        "month": f"{there:%m}",
        "day": f"{there:%d}",
        "weekday": WEEKDAYS[there.weekday()],
        "number": run.number,
    }


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


# --- fields of calendars and cron expressions ----------------------------------------------------

Range = tuple[int, int, int]
"""From, to (both included), and the step."""

_WEEKDAY_NAMES = {name[:3].lower(): (number + 1) % 7 for number, name in enumerate(WEEKDAYS)}
_MONTH_NAMES = {name: number for number, name in enumerate(MONTHS, 1)}
BOUNDS: dict[str, tuple[int, int]] = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day_of_month": (1, 31),
    "month": (1, 12),
    "day_of_week": (0, 7),
    "year": (2000, 2100),
}
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_CRON = ("minute", "hour", "day_of_month", "month", "day_of_week")


def ranges(field: str, text: str) -> list[Range]:
    """The values that a field of a calendar names; ``*`` of the year is the empty list.

    Raises:
        ValueError: it names none; says what would be right.
    """
    if field == "year" and text == "*":
        return []
    found = [_range(field, part) for part in text.lower().split(",")]
    if field == "day_of_week":
        days = sorted({day % 7 for start, end, step in found for day in range(start, end + 1, step)})
        return [(day, day, 1) for day in days]
    return found


def _range(field: str, text: str) -> Range:
    low, high = BOUNDS[field]
    body, slash, step = text.partition("/")
    first, dash, last = body.partition("-")
    try:
        size = int(step) if slash else 1
        start = low if first in ("*", "?") else _number(field, first)
        end = _number(field, last) if dash else start
    except ValueError:
        raise ValueError(
            f"{field} {text!r} is no number, range such as 2-5, *, or step such as */10"
        ) from None
    if not dash and (first in ("*", "?") or slash):
        end = 6 if field == "day_of_week" else high
    if not (low <= start <= end <= high and size >= 1):
        raise ValueError(f"{field} {text!r} is out of its bounds, {low} to {high}")
    return start, end, size


def _number(field: str, text: str) -> int:
    names = {"day_of_week": _WEEKDAY_NAMES, "month": _MONTH_NAMES}.get(field, {})
    if text[:3] in names and text.isalpha():
        return names[text[:3]]
    if not text.isascii() or not text.isdigit():
        raise ValueError(text)
    return int(text)


def cron_problem(text: str) -> str | None:
    """What is wrong with a cron expression, and what would be right; None: nothing."""
    if "=" in text:
        return "a cron expression names no time zone here; say it in time_zone"
    if text.strip().lower().startswith("@every"):
        return "say an interval as every_seconds"
    fields = ALIASES.get(text.strip().lower(), text).split()
    if not 5 <= len(fields) <= 7:
        return (
            f"{text!r} has {len(fields)} fields; a cron expression has 5 (minute, hour, day of month, month, "
            "day of week), 6 with the year at the end, or 7 with seconds at the beginning too"
        )
    names: Sequence[str] = (*(("second",) if len(fields) == 7 else ()), *_CRON, "year")
    for name, field in zip(names, fields, strict=False):
        try:
            ranges(name, field)
        except ValueError as error:
            return f"{text!r}: {error}"
    return None
