"""When a schedule runs, as it is chosen in a form: plain choices, or cron for those who know it."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from api.schedule_models import ScheduleBody, SchedulePatch, SpecAnswer
from api.schedule_spec import SpecBody
from dashboard.drafts import Draft, said_of, usd
from dashboard.faults import Faults, field_of, worded
from imagemill.domain.windows import zone

EVERY = {
    "": "Not by itself, just once now",
    "daily": "Every day",
    "weekdays": "Every day from Monday to Friday",
    "weekly": "Every week",
    "monthly": "Every month",
    "cron": "By cron expressions",
}
KEPT = "kept"
"""The choice that leaves times alone that this form can't say."""
WEEKDAYS = {
    "1": "Monday",
    "2": "Tuesday",
    "3": "Wednesday",
    "4": "Thursday",
    "5": "Friday",
    "6": "Saturday",
    "0": "Sunday",
}
OVERLAPS = {
    "skip": "Skip the new one",
    "buffer_one": "Let one wait for its end",
    "buffer_all": "Let all wait, in turn",
    "cancel_other": "Cancel the earlier one",
    "allow_all": "Run them side by side",
}
DEFAULTS = {"s_at": "06:00", "s_weekday": "1", "s_day": "1", "s_overlap": "skip"}

_AT = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DAY = re.compile(r"[1-9]|[12]\d|3[01]")
_SIMPLE = re.compile(
    r"(?P<minute>\d{1,2}) (?P<hour>\d{1,2}) (?P<day>\*|\d{1,2}) \* (?P<weekday>\*|1-5|[0-6])"
)
_FIELDS = {
    "cron": "s_cron",
    "time_zone": "s_zone",
    "jitter_seconds": "s_jitter",
    "start": "s_start",
    "end": "s_end",
}


def spec_of(draft: Draft, faults: Faults) -> SpecBody | None:
    """The times that are meant; None: the faults say what is wrong with them."""
    cron = _cron(draft, faults)
    there = draft.text("s_zone").strip() or "UTC"
    jitter = number_of(draft.text("s_jitter"))
    said = said_of(
        cron=cron,
        time_zone=there,
        jitter_seconds=jitter * 60 if isinstance(jitter, int) else jitter,
        start=_moment(draft, "s_start", there, faults),
        end=_moment(draft, "s_end", there, faults),
    )
    if faults:
        return None
    try:
        return SpecBody.model_validate(said)
    except ValidationError as error:
        for fault in error.errors():
            place = str(fault["loc"][0]) if fault["loc"] else "cron"
            faults.add(_FIELDS.get(place, "s_cron"), worded("", fault))
    return None


def schedule_of(draft: Draft, spec: SpecBody, job: Mapping[str, Any], faults: Faults) -> ScheduleBody | None:
    """The schedule that is meant; None: the faults say why there is none."""
    month = draft.text("s_month_usd").strip()
    said = said_of(
        name=draft.text("s_name").strip() or draft.text("name").strip(),
        overlap=draft.text("s_overlap"),
        runs=number_of(draft.text("s_runs")),
        budget={"month_usd": usd(month)} if month else None,
    )
    try:
        return ScheduleBody.model_validate({**said, "spec": spec.model_dump(), "job": job})
    except ValidationError as error:
        blame_schedule(faults, error)
    return None


def patch_of(draft: Draft, faults: Faults, budget_zone: str | None = None) -> SchedulePatch | None:
    """What is to be changed of a schedule; None: the faults say why it can't be.

    Its bounds are left alone where the form still says what the page was loaded with: of the runs that were
    left then some may have begun since, and an ended schedule would begin anew. ``budget_zone`` is whose
    midnight ends the month.
    """
    said: dict[str, Any] = {
        "name": draft.text("s_name").strip(),
        "overlap": draft.text("s_overlap") or "skip",
    }
    if _is_changed(draft, "s_runs"):
        said["runs"] = number_of(draft.text("s_runs")) if draft.text("s_runs").strip() else None
    if _is_changed(draft, "s_month_usd"):
        month = usd(draft.text("s_month_usd"))
        said["budget"] = said_of(month_usd=month, time_zone=budget_zone) if month else None
    if draft.text("s_every") != KEPT:
        spec = spec_of(draft, faults)
        if spec is None:
            return None
        said["spec"] = spec.model_dump()
    try:
        return SchedulePatch.model_validate(said)
    except ValidationError as error:
        blame_schedule(faults, error)
    return None


def _is_changed(draft: Draft, name: str) -> bool:
    return draft.text(name).strip() != draft.said.get(f"{name}_was")


def blame_schedule(faults: Faults, error: ValidationError) -> None:
    """Put what is wrong with a schedule's body beside the fields of the form."""
    for fault in error.errors():
        place = "".join(f"/{part}" for part in fault["loc"])
        faults.add(schedule_field(place), worded(place, fault))


def schedule_field(place: str) -> str | None:
    """The field that a pointer into a schedule's body speaks of."""
    parts = place.strip("/").split("/")
    if parts[0] == "job":
        return field_of("/" + "/".join(parts[1:]))
    if parts[0] == "spec":
        return _FIELDS.get(parts[1] if len(parts) > 1 else "", "s_cron")
    known = {"name": "s_name", "runs": "s_runs", "overlap": "s_overlap", "budget": "s_month_usd"}
    return known.get(parts[0])


def typed_of(spec: SpecAnswer) -> dict[str, str]:
    """The fields that would say these times; times that no field can say are kept as they are."""
    said = {
        "s_zone": spec.time_zone,
        "s_jitter": str(spec.jitter_seconds // 60) if spec.jitter_seconds else "",
        "s_start": _local(spec.start, spec.time_zone),
        "s_end": _local(spec.end, spec.time_zone),
    }
    odd = spec.calendars or spec.every_seconds or spec.jitter_seconds % 60 or not spec.cron
    if odd or any(moment and moment.second for moment in (spec.start, spec.end)):
        return said | {"s_every": KEPT}
    return said | {"s_every": "cron", "s_cron": "\n".join(spec.cron)} | _simple(spec.cron)


def number_of(text: str) -> int | str:
    """A number, or what was typed instead."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


# --- fields ---------------------------------------------------------------------------------------


def _cron(draft: Draft, faults: Faults) -> list[str]:
    every = draft.text("s_every")
    if every == "cron":
        lines = [line.strip() for line in draft.text("s_cron").splitlines() if line.strip()]
        if not lines:
            faults.add("s_cron", "write a cron expression, such as 0 6 * * 1 for Mondays at 06:00")
        return lines
    at = _AT.fullmatch(draft.text("s_at").strip())
    if at is None:
        faults.add("s_at", f"{draft.text('s_at')!r} is no time of day, such as 06:00")
        return []
    days = {"daily": "* * *", "weekdays": "* * 1-5", "weekly": f"* * {_weekday(draft)}"}
    if every == "monthly":
        if not _DAY.fullmatch(draft.text("s_day").strip()):
            faults.add("s_day", "is no day of a month: 1 to 31; months without it are left out")
            return []
        days["monthly"] = f"{draft.text('s_day').strip()} * *"
    if every not in days:
        faults.add("s_every", "choose how often it runs")
        return []
    return [f"{int(at[2])} {int(at[1])} {days[every]}"]


def _weekday(draft: Draft) -> str:
    return draft.text("s_weekday") if draft.text("s_weekday") in WEEKDAYS else "1"


def _simple(cron: list[str]) -> dict[str, str]:
    """The plain choice that one cron expression is, if it is one."""
    found = _SIMPLE.fullmatch(" ".join(cron[0].split())) if len(cron) == 1 else None
    if not found:
        return {}
    minute, hour, day, weekday = found["minute"], found["hour"], found["day"], found["weekday"]
    said = {"s_at": f"{int(hour):02}:{int(minute):02}"}
    if day == "*":
        every = {"*": "daily", "1-5": "weekdays"}.get(weekday, "weekly")
        return said | {"s_every": every} | ({"s_weekday": weekday} if every == "weekly" else {})
    return said | {"s_every": "monthly", "s_day": day} if weekday == "*" else {}


def _moment(draft: Draft, name: str, there: str, faults: Faults) -> str | None:
    """A time as a browser sends it, without its zone: the schedule's is meant."""
    text = draft.text(name).strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone(there)).isoformat()
    except ValueError:
        faults.add(name, f"{text!r} is no time, such as 2026-05-01T12:00")
        return None


def _local(moment: datetime | None, there: str) -> str:
    return f"{moment.astimezone(zone(there)):%Y-%m-%dT%H:%M}" if moment else ""
