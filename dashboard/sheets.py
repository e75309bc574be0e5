"""The submit form as it is shown, and its buttons: what each finds out, and which of them do something."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import Request
from starlette.responses import Response

from api.context import Context
from api.estimates import validate
from api.problems import NOT_FOUND, Problem
from api.schedule_models import SCHEDULE_ID, PreviewAnswer, SchedulePatch
from api.schedules import change_schedule, create_schedule, get_schedule
from api.submission import submit
from api.validations import ValidationAnswer
from dashboard.drafts import ENOUGH, Draft, read
from dashboard.faults import Faults
from dashboard.keeping import with_kept
from dashboard.pages import then
from dashboard.previewing import Preview, first_run, previewed
from dashboard.schedules import times_of
from dashboard.timetables import schedule_field, schedule_of, spec_of
from dashboard.trials import Trial, buy, trial_of
from dashboard.viewer import Viewer
from imagemill.domain.errors import InvalidInput

MOST_SHOWN = 20
"""Rows of a small table, such as that of variants."""


@dataclass(slots=True)
class Sheet:
    """The form as it is shown: what was typed, and what was found out."""

    draft: Draft
    faults: Faults = field(default_factory=Faults)
    preview: Preview = field(default_factory=Preview)
    estimate: ValidationAnswer | None = None
    trial: Trial | None = None
    bought: str | None = None
    """The job of a trial that was bought."""
    status: int = 200
    times: PreviewAnswer | None = None
    place: str | None = None
    """Which part of the page the button was about."""


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed, by whom, and what it carries besides its name."""

    request: Request
    viewer: Viewer
    parts: Context
    value: str = ""

    @property
    def tenant(self) -> str:
        """Whose form it is."""
        return self.viewer.tenant


def rows_of(draft: Draft, kind: str) -> int:
    """How many rows of a small table are shown: those that are filled, and those that were asked for."""
    filled = len(draft.variants if kind == "variant" else draft.renditions)
    said = draft.text(f"{kind}-rows")
    return min(
        MOST_SHOWN, max(filled, int(said) if said.isascii() and said.isdigit() and len(said) < 3 else 0)
    )


# --- the buttons ----------------------------------------------------------------------------------


async def look(press: Press, sheet: Sheet) -> None:
    """Show the columns of the feed, and what the templates make of its first rows as far as there are any."""
    sheet.place = "preview" if sheet.draft.text("prompt") or not sheet.draft.is_feed else "feed"
    sheet.preview = await previewed(press.parts, press.tenant, sheet.draft, sheet.preview, Faults())


async def _preview(press: Press, sheet: Sheet) -> None:
    """The same, and say what is wrong with the templates."""
    sheet.place = "preview"
    sheet.preview = await previewed(press.parts, press.tenant, sheet.draft, sheet.preview, sheet.faults)


async def _estimate(press: Press, sheet: Sheet) -> None:
    """What it would cost, and which rows are bad."""
    await look(press, sheet)
    sheet.place = "estimate"
    body = read(sheet.draft, sheet.faults, cap=ENOUGH)
    if body and not sheet.faults:
        sheet.estimate = await validate(press.parts, press.tenant, body, first_run(sheet.draft))


async def _try(press: Press, sheet: Sheet) -> None:
    """Which item would be bought, and what it can cost."""
    await look(press, sheet)
    sheet.place = "trial"
    sheet.trial = await trial_of(press.parts, press.tenant, sheet.draft, sheet.preview, sheet.faults)


async def _buy(press: Press, sheet: Sheet) -> None:
    """Buy that one item."""
    await _try(press, sheet)
    if sheet.trial:
        sheet.bought = await buy(press.parts, press.tenant, sheet.draft, sheet.trial)


async def _cap(press: Press, sheet: Sheet) -> None:
    """Take a cap that the estimate proposes."""
    sheet.draft = sheet.draft.with_(limit_usd=press.value)
    await _estimate(press, sheet)
    sheet.place = "go"


async def _go(press: Press, sheet: Sheet) -> Response | None:
    """Submit it all."""
    sheet.place = "go"
    body = read(sheet.draft, sheet.faults)
    if body is None or sheet.faults:
        await _preview(press, sheet)  # so that what is wrong with the templates is told as well
        sheet.place = None
        return None
    accepted = await submit(press.parts, press.tenant, body, sheet.draft.text("once"))
    words = "This form was sent before; this is its job." if accepted.replayed else "The job is submitted."
    return await then(press.request, f"/jobs/{accepted.job}", words)


async def _times(press: Press, sheet: Sheet) -> None:
    """When a schedule of it would run."""
    await look(press, sheet)
    sheet.place = "instead"
    sheet.times = await times_of(press.parts, press.viewer, sheet.draft, sheet.faults)


async def _schedule(press: Press, sheet: Sheet) -> Response | None:
    """Instead of a job, make a schedule of it."""
    body, spec = read(sheet.draft, sheet.faults), spec_of(sheet.draft, sheet.faults)
    made = body and spec and schedule_of(sheet.draft, spec, sheet.draft.raw(), sheet.faults)
    if not made or sheet.faults:
        await _preview(press, sheet)  # so that what is wrong with the templates is told as well
        sheet.place = None
        return None
    try:
        key = f"{sheet.draft.text('once')}-schedule"
        found = await create_schedule(made, Response(), press.parts, press.tenant, key)
    except InvalidInput as error:
        _blame_schedule(sheet, error)
        return None
    return await then(press.request, f"/schedules/{found.id}", "The schedule is made.")


async def _save(press: Press, sheet: Sheet) -> Response | None:
    """Change what a schedule submits."""
    schedule = sheet.draft.text("schedule")
    if not re.fullmatch(SCHEDULE_ID, schedule):
        raise Problem(NOT_FOUND, f"there is no schedule {schedule[:100]!r}")
    before = (await get_schedule(schedule, press.parts, press.tenant)).job
    body = read(sheet.draft, sheet.faults, more=lambda said: with_kept(said, before))
    if body is None or sheet.faults:
        await _preview(press, sheet)  # so that what is wrong with the templates is told as well
        sheet.place = None
        return None
    try:
        await change_schedule(schedule, SchedulePatch(job=body), press.parts, press.tenant)
    except InvalidInput as error:
        _blame_schedule(sheet, error)
        return None
    words = "From its next run on, the schedule submits this."
    return await then(press.request, f"/schedules/{schedule}", words)


def _blame_schedule(sheet: Sheet, error: InvalidInput) -> None:
    for place, what in error.problems[:200]:
        sheet.faults.add(schedule_field(place), what)


async def _more(press: Press, sheet: Sheet) -> None:
    """One more row of a small table; the page shows one more than are filled in any case."""
    await look(press, sheet)
    sheet.draft = sheet.draft.with_(**{f"{press.value}-rows": str(rows_of(sheet.draft, press.value) + 1)})
    sheet.place = press.value


STEPS: dict[str, Callable[[Press, Sheet], Awaitable[Response | None]]] = {
    "preview": _preview,
    "estimate": _estimate,
    "try": _try,
    "buy": _buy,
    "cap": _cap,
    "go": _go,
    "more": _more,
    "times": _times,
    "schedule": _schedule,
    "save": _save,
}
