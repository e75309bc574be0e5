"""Calls about schedules."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal
from uuid import uuid4

from imagemill_client._core.core import Core, pages, said, segment
from imagemill_client._core.reading import read
from imagemill_client._core.steps import Call
from imagemill_client.models import Backfill, Preview, Run, RunPage, Schedule, SchedulePage, Trigger
from imagemill_client.params import JobBody, MonthlyBudget, Spec

SCHEDULES = "/v1/schedules"
Overlap = Literal["skip", "buffer_one", "buffer_all", "cancel_other", "allow_all"]


def create(
    core: Core,
    *,
    name: str,
    spec: Spec,
    job: JobBody,
    overlap: Overlap | None = None,
    catchup_seconds: int | None = None,
    runs: int | None = None,
    budget: MonthlyBudget | None = None,
    paused: bool | None = None,
    note: str | None = None,
    idempotency_key: str | None = None,
    extra: Mapping[str, object] | None = None,
) -> Call[Schedule]:
    """A submission that is made again and again.

    The budget of ``job`` is the cap of each run; its templates may use ``run.date`` and ``run.number``.
    ``overlap``: what happens when a run is due while the one before goes on; by default it is skipped.
    ``catchup_seconds``: how late a run may be made after the service was away; by default a day. ``runs``:
    how many in all; by default without end. ``budget``: what all runs may spend in a month.
    """
    body = said(
        name=name,
        spec=spec,
        job=job,
        overlap=overlap,
        catchup_seconds=catchup_seconds,
        runs=runs,
        budget=budget,
        paused=paused,
        note=note,
    ) | dict(extra or {})
    key = {"idempotency-key": idempotency_key or f"imc-{uuid4()}"}
    return core.post(Schedule, SCHEDULES, json=body, headers=key, repeatable=True)


def get(core: Core, schedule: str) -> Call[Schedule]:
    """A schedule as it stands now."""
    return core.get(Schedule, _path(schedule))


def list_schedules(core: Core, *, page_size: int = 100) -> Iterator[Call[list[Schedule]]]:
    """All schedules."""
    return pages(core, SchedulePage, SCHEDULES, lambda page: page.data, {"limit": page_size})


def update(
    core: Core,
    schedule: str,
    *,
    name: str | None = None,
    spec: Spec | None = None,
    job: JobBody | None = None,
    overlap: Overlap | None = None,
    catchup_seconds: int | None = None,
    runs: int | None = None,
    budget: MonthlyBudget | None = None,
    note: str | None = None,
    extra: Mapping[str, object] | None = None,
) -> Call[Schedule]:
    """Change a schedule; what is None stays. To set something to null, name it in ``extra``."""
    body = said(
        name=name,
        spec=spec,
        job=job,
        overlap=overlap,
        catchup_seconds=catchup_seconds,
        runs=runs,
        budget=budget,
        note=note,
    ) | dict(extra or {})
    return read(Schedule, (yield from core.ask("PATCH", _path(schedule), json=body, repeatable=True)))


def delete(core: Core, schedule: str) -> Call[None]:
    """Delete a schedule; runs that exist go on."""
    yield from core.ask("DELETE", _path(schedule))


def pause(core: Core, schedule: str, *, note: str | None = None) -> Call[Schedule]:
    """Let it run no more until it is resumed."""
    return core.post(Schedule, f"{_path(schedule)}/pause", json=said(note=note), repeatable=True)


def resume(core: Core, schedule: str, *, note: str | None = None) -> Call[Schedule]:
    """Let it run again."""
    return core.post(Schedule, f"{_path(schedule)}/resume", json=said(note=note), repeatable=True)


def trigger(core: Core, schedule: str) -> Call[Trigger]:
    """Run it now, also while it is paused. It is not sent twice.

    Raises:
        Conflict: a run is under way, so that this one would be skipped.
    """
    return core.post(Trigger, f"{_path(schedule)}/trigger")


def backfill(core: Core, schedule: str, start: datetime, end: datetime) -> Call[Backfill]:
    """Make the runs of a past range; times that have run make no second job. It is not sent twice."""
    return core.post(Backfill, f"{_path(schedule)}/backfill", json={"start": start, "end": end})


def runs(core: Core, schedule: str, *, page_size: int = 100) -> Iterator[Call[list[Run]]]:
    """The runs and their jobs, the newest first."""
    path = f"{_path(schedule)}/runs"
    return pages(core, RunPage, path, lambda page: page.data, {"limit": page_size})


def preview(core: Core, schedule: str, *, count: int = 10) -> Call[Preview]:
    """When it runs next."""
    return core.get(Preview, f"{_path(schedule)}/preview", query={"count": count})


def preview_spec(core: Core, spec: Spec, *, count: int = 10) -> Call[Preview]:
    """What a spec means, in words and times. Nothing is saved."""
    body = {"spec": spec, "count": count}
    return core.post(Preview, f"{SCHEDULES}/preview", json=body, repeatable=True)


def _path(schedule: str) -> str:
    return f"{SCHEDULES}/{segment(schedule)}"
