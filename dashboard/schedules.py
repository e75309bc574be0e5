"""The pages of schedules: what is submitted by itself, when, what became of it, and what to do about it."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from api import schedules as api
from api.context import Context
from api.problems import Problem
from api.schedule_models import (
    SCHEDULE_ID,
    BackfillBody,
    NoteBody,
    PreviewAnswer,
    PreviewBody,
    ScheduleAnswer,
)
from dashboard.bars import Part, progress
from dashboard.drafts import Draft, fields_of
from dashboard.faults import Faults
from dashboard.pages import fragment, page, then
from dashboard.spend import money_of
from dashboard.timetables import EVERY, KEPT, OVERLAPS, WEEKDAYS, patch_of, schedule_field, spec_of, typed_of
from dashboard.viewer import Changing, Looking, Parts, Viewer
from imagemill.domain.errors import InvalidInput
from imagemill.domain.windows import zone

router = APIRouter()

ScheduleId = Annotated[str, Path(pattern=SCHEDULE_ID, max_length=40)]
After = Annotated[str | None, Query(pattern=r"^[\w-]{1,64}$")]
ZONES = (
    "UTC", "Europe/London", "Europe/Lisbon", "Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/Rome",
    "Europe/Warsaw", "Europe/Athens", "Europe/Istanbul", "America/New_York", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Dubai", "Asia/Kolkata",
    "Asia/Singapore", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip
"""Proposed; any other name may be typed."""
NEXT = 10
A_PAGE = 20


@dataclass(slots=True)
class Desk:
    """A schedule's page: the schedule, and the forms on it as they were typed."""

    schedule: ScheduleAnswer
    said: Mapping[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    @property
    def draft(self) -> Draft:
        """Its fields, those that were typed before those that are kept."""
        found = self.schedule
        bounds = {
            "s_runs": "" if found.runs_left is None else str(found.runs_left),
            "s_month_usd": found.budget.month_usd if found.budget else "",
        }
        kept = typed_of(found.spec) | {"s_name": found.name, "s_overlap": found.overlap} | bounds
        was = {f"{name}_was": text for name, text in bounds.items()}
        return Draft({**kept, **was, **self.said})


@router.get("/schedules")
async def schedules_page(request: Request, viewer: Looking, parts: Parts, after: After = None) -> Response:
    """All of a tenant's, the newest first."""
    found = await api.list_schedules(parts, viewer.tenant, after, A_PAGE)
    return await page(
        request,
        "schedules.html",
        schedules=found.data,
        more=found.last_id if found.has_more else None,
        after=after,
        gauge=gauge,
    )


@router.post("/schedules/times")
async def times(change: Changing, parts: Parts) -> Response:
    """When a form's times would run, for the script that keeps that fresh."""
    draft, faults = Draft(fields_of(change.form.multi_items())), Faults()
    await change.form.close()
    found = await times_of(parts, change.viewer, draft, faults)
    return fragment("schedule_times.html", times=found, faults=faults, wordless=False)


@router.get("/schedules/{schedule}")
async def schedule_page(
    request: Request, schedule: ScheduleId, viewer: Looking, parts: Parts, after: After = None
) -> Response:
    """One of them with its next times and its runs."""
    found = await api.get_schedule(schedule, parts, viewer.tenant)
    return await _shown(request, viewer, parts, Desk(found), after=after)


@router.post("/schedules/{schedule}")
async def change_schedule(request: Request, schedule: ScheduleId, change: Changing, parts: Parts) -> Response:
    """Change its times, its cap by month, or how its runs meet."""
    desk = Desk(
        await api.get_schedule(schedule, parts, change.viewer.tenant), fields_of(change.form.multi_items())
    )
    draft = Draft(desk.said)
    if change.text("do") == "times":
        found = await times_of(parts, change.viewer, draft, desk.faults)
        return await _shown(request, change.viewer, parts, desk, times=found)
    budget = desk.schedule.budget
    patch = patch_of(draft, desk.faults, budget.time_zone if budget else None)
    if patch and await _done(desk, api.change_schedule(schedule, patch, parts, change.viewer.tenant)):
        return await then(request, f"/schedules/{schedule}", "The schedule is changed.")
    return await _shown(request, change.viewer, parts, desk)


@router.post("/schedules/{schedule}/pause")
async def pause(request: Request, schedule: ScheduleId, change: Changing, parts: Parts) -> Response:
    """Start nothing by itself until it is resumed."""
    note = NoteBody(note=change.text("note")[:500] or None)
    await api.pause_schedule(schedule, parts, change.viewer.tenant, note)
    return await then(request, f"/schedules/{schedule}", "The schedule is paused.")


@router.post("/schedules/{schedule}/resume")
async def resume(request: Request, schedule: ScheduleId, change: Changing, parts: Parts) -> Response:
    """Go on with the next time."""
    await api.resume_schedule(schedule, parts, change.viewer.tenant, None)
    return await then(request, f"/schedules/{schedule}", "The schedule goes on with its next time.")


@router.post("/schedules/{schedule}/trigger")
async def trigger(request: Request, schedule: ScheduleId, change: Changing, parts: Parts) -> Response:
    """Run now."""
    desk = Desk(await api.get_schedule(schedule, parts, change.viewer.tenant))
    if await _done(desk, api.trigger_schedule(schedule, parts, change.viewer.tenant)):
        return await then(request, f"/schedules/{schedule}", "A run begins; it is listed in a moment.")
    return await _shown(request, change.viewer, parts, desk)


@router.post("/schedules/{schedule}/backfill")
async def backfill(request: Request, schedule: ScheduleId, change: Changing, parts: Parts) -> Response:
    """Run the times of a range, as the schedule's own clock shows them."""
    said = fields_of(change.form.multi_items())
    desk = Desk(await api.get_schedule(schedule, parts, change.viewer.tenant), said)
    body = _range(desk)
    if body:
        try:
            answer = await api.backfill_schedule(schedule, body, parts, change.viewer.tenant)
        except InvalidInput as error:
            for place, what in error.problems:
                desk.faults.add(f"b{place.replace('/', '_')}", what)
        else:
            words = f"{answer.times} times are run; those that ran before make no second job."
            return await then(request, f"/schedules/{schedule}", words)
    return await _shown(request, change.viewer, parts, desk)


@router.get("/schedules/{schedule}/delete")
async def ask_delete(request: Request, schedule: ScheduleId, viewer: Looking, parts: Parts) -> Response:
    """Is it meant?"""
    viewer.require("submit")
    found = await api.get_schedule(schedule, parts, viewer.tenant)
    return await page(request, "schedule_delete.html", schedule=found)


@router.post("/schedules/{schedule}/delete")
async def delete(request: Request, schedule: ScheduleId, change: Changing, parts: Parts) -> Response:
    """Start nothing more."""
    await api.delete_schedule(schedule, parts, change.viewer.tenant)
    return await then(
        request, "/schedules", "The schedule is deleted. Its runs go on, and stay in your jobs."
    )


# --- pieces ---------------------------------------------------------------------------------------


async def times_of(parts: Context, viewer: Viewer, draft: Draft, faults: Faults) -> PreviewAnswer | None:
    """The next times of what was typed; None: the faults say why there are none."""
    spec = spec_of(draft, faults)
    if spec is None:
        return None
    try:
        return await api.preview_spec(PreviewBody(spec=spec, count=NEXT), parts, viewer.tenant)
    except InvalidInput as error:
        for place, what in error.problems:
            faults.add(schedule_field(place) or "s_cron", what)
    return None


def choices(draft: Draft, *, instead: bool) -> dict[str, Any]:
    """What the fields of a schedule can be chosen from; ``instead``: of a submission."""
    every = {name: words for name, words in EVERY.items() if name or instead}
    if draft.text("s_every") == KEPT:
        every = {KEPT: "As it is"} | every
    return {
        "every": list(every.items()),
        "weekdays": list(WEEKDAYS.items()),
        "overlaps": list(OVERLAPS.items()),
        "zones": ZONES,
    }


def gauge(schedule: ScheduleAnswer) -> Any:
    """What all runs of the month have spent against their cap; None: there is none."""
    budget = schedule.budget
    if budget is None:
        return None
    spent, committed = float(budget.spent_usd), float(budget.committed_usd)
    parts = [
        Part("Spent this month", spent, "bar-settled"),
        Part("Leased to runs", max(0.0, committed - spent), "bar-reserved"),
    ]
    return progress(f"month-{schedule.id}", "The month's cap", parts, float(budget.month_usd), money_of)


def cell(moment: datetime, there: str) -> str:
    """A time as a clock of the schedule shows it: ``Mon 4 May 2026, 06:00``."""
    local = moment.astimezone(zone(there))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


async def _done(desk: Desk, asked: Awaitable[object]) -> bool:
    """Did it work? If not, the page says why."""
    try:
        await asked
    except InvalidInput as error:
        for place, what in error.problems:
            desk.faults.add(schedule_field(place), what)
    except Problem as problem:
        desk.faults.add(None, f"{problem.detail[:1].upper()}{problem.detail[1:]}.")
    return not desk.faults


def _range(desk: Desk) -> BackfillBody | None:
    there = zone(desk.schedule.spec.time_zone)
    said = {}
    for name in ("start", "end"):
        text = desk.said.get(f"b_{name}", "").strip()
        try:
            said[name] = datetime.fromisoformat(text).replace(tzinfo=there).isoformat()
        except ValueError:
            desk.faults.add(f"b_{name}", "choose a time" if not text else f"{text!r} is no time")
    if desk.faults:
        return None
    try:
        return BackfillBody.model_validate(said)
    except ValidationError as error:
        desk.faults.add("b_end", str(error.errors()[0]["msg"]).removeprefix("Value error, "))
    return None


async def _shown(
    request: Request,
    viewer: Viewer,
    parts: Context,
    desk: Desk,
    *,
    after: str | None = None,
    times: PreviewAnswer | None = None,
) -> Response:
    schedule = desk.schedule
    runs = await api.list_runs(schedule.id, parts, viewer.tenant, after, A_PAGE)
    upcoming = await api.preview_schedule(schedule.id, parts, viewer.tenant, NEXT)
    return await page(
        request,
        "schedule.html",
        status=422 if desk.faults else 200,
        schedule=schedule,
        draft=desk.draft,
        faults=desk.faults,
        said=desk.said,
        runs=runs.data,
        more=f"/schedules/{schedule.id}?after={quote(runs.last_id or '')}" if runs.has_more else None,
        after=after,
        upcoming=upcoming,
        times=times,
        gauge=gauge(schedule),
        cell=cell,
        choices=choices(desk.draft, instead=False),
    )
