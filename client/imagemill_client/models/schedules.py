"""What is said of schedules and their runs."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import Field

from imagemill_client.models._base import Answer, Page
from imagemill_client.models.jobs import ItemCounts


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
    """One run of a schedule, and how its job stands.

    Attributes:
        number: counts the runs from 1.
        at: the time that it is for.
        state: the job's; ``lost``: nobody knows its end.
        hold: why the job is held, where it is.
    """

    number: int
    at: datetime
    job: str
    state: str
    hold: str | None = None
    counts: ItemCounts | None = None
    settled_usd: Decimal | None = None
    created_at: datetime | None = None


class Trigger(Answer):
    """A run that begins now. Its job is there in a moment."""

    at: datetime
    job: str


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
        skipped: times that came while a run was under way, and became no run.
        missed: times that passed while the service was away for too long.
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
    skipped: int = 0
    missed: int = 0
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
