"""Schedules, runs and times for people."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from cli.errors import harmless
from cli.money import dollars
from cli.schedules.answers import Preview, Run, Schedule, Time
from cli.telling import facts

SHOWN = 3


def schedule_lines(found: Schedule) -> list[str]:
    """A schedule: when it runs, what it may spend, what it did last."""
    budget = (
        found.budget and f"{dollars(found.budget.spent_usd)} of {dollars(found.budget.month_usd)} this month"
    )
    rows: list[tuple[str, object]] = [
        ("Schedule", found.id),
        ("Name", found.name),
        ("State", found.state),
        ("Note", found.note),
        ("When", found.words),
        *(("" if number else "Next", _local(time)) for number, time in enumerate(found.next[:SHOWN])),
        ("Overlap", found.overlap),
        ("Runs left", found.runs_left),
        ("Each run", _cap(found.job)),
        ("All runs", budget),
        ("Last run", found.last_run and run_words(found.last_run)),
    ]
    return facts(rows)


def run_words(run: Run) -> str:
    """A run, in a line."""
    held = f" for {run.hold}" if run.hold else ""
    return f"{run.number}, {run.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {run.job or '-'} {run.state}{held}"


def preview_lines(found: Preview) -> Iterator[str]:
    """The words, and the times below them."""
    yield harmless(found.words)
    yield from (f"  {_local(time)}" for time in found.times)
    if not found.times:
        yield "  never"
    if found.jitter_seconds:
        yield f"Each up to {found.jitter_seconds:g} s later, at random."


def _local(time: Time) -> str:
    offset = time.local.utcoffset()
    there = f"{time.local:%a %Y-%m-%d %H:%M}"
    return f"{there} UTC" if not offset else f"{there} ({time.at.astimezone(UTC):%a %H:%M} UTC)"


def _cap(job: dict[str, Any]) -> str | None:
    limit = (job.get("budget") or {}).get("limit_usd")
    return None if limit is None else f"up to ${limit}"
