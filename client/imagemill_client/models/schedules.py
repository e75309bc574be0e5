"""What is said of schedules and their runs."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import Field

from imagemill_client.models._base import Answer, Page


class Time(Answer):
    """A time at which a schedule runs: in UTC, and on its own clock."""

    at: datetime
    local: datetime


class Preview(Answer):
    """What a spec means: in words, and the next times."""

    words: str
    times: tuple[Time, ...]
    jitter_seconds: float = 0


class Run(Answer):
    """One run of a schedule, and its job."""

    number: int | None = None
    at: datetime
    job: str | None = None
    state: str | None = None
    hold: str | None = None
    counts: Mapping[str, Any] | None = None


class RunPage(Page):
    """A page of runs, the newest first."""

    data: tuple[Run, ...]


class ScheduleBudget(Answer):
    """What all runs of a schedule may spend in a month, and what is left of it."""

    month_usd: Decimal
    spent_usd: Decimal = Decimal(0)
    committed_usd: Decimal = Decimal(0)
    left_usd: Decimal | None = None
    time_zone: str = "UTC"


class Schedule(Answer):
    """A submission that is made again and again.

    Attributes:
        state: ``active``, ``paused`` or ``ended``.
        words: the spec as a sentence.
        next: the next times.
    """

    id: str
    name: str
    state: str
    note: str | None = None
    spec: Mapping[str, Any]
    words: str = ""
    overlap: str = "skip"
    catchup_seconds: int = 86_400
    runs_left: int | None = None
    job: Mapping[str, Any] = Field(repr=False)
    budget: ScheduleBudget | None = None
    next: tuple[Time, ...] = ()
    last_run: Run | None = None
    created_at: datetime


class SchedulePage(Page):
    """A page of schedules."""

    data: tuple[Schedule, ...]


class Backfill(Answer):
    """How many times of the past are run now."""

    times: int
