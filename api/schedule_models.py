"""Bodies and answers of schedules."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StrictBool, field_validator, model_validator

from api.models import Body, ItemCounts, JobBody, Sum
from api.schedule_spec import Moment, SpecBody, Zone, as_written
from imagemill.domain.job_states import JobState
from imagemill.domain.schedules import CATCHUP_SECONDS, Calendar, Overlap

LEAST_CATCHUP, MOST_CATCHUP = 10, 366 * 86_400
"""The engine takes nothing below ten seconds."""
MOST_RUNS = 1_000_000
SCHEDULE_ID = r"^sched_[0-9A-Z]{26}$"
MOST_PREVIEWED = 100


class ScheduleBudget(Body):
    """What all runs of the schedule may spend in a month; a run that would pass it is held."""

    month_usd: Sum
    time_zone: Zone | None = Field(
        default=None, description="Whose midnight ends the month; left out: the schedule's."
    )


ScheduleName = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["weekly banners"])
]
Note = Annotated[str, Field(max_length=500, examples=["until the new photos are there"])]
RunsLeft = Annotated[int, Field(ge=1, le=MOST_RUNS, strict=True)]
Catchup = Annotated[int, Field(ge=LEAST_CATCHUP, le=MOST_CATCHUP, strict=True)]


class ScheduleBody(Body):
    """What is submitted, and when."""

    name: ScheduleName
    spec: SpecBody
    job: JobBody = Field(
        description="What each run submits. Its templates and its items' prompts may say run.date, run.time, "
        "run.year, run.month, run.day, run.weekday and run.number; its budget is the cap of each run."
    )
    overlap: Overlap = Field(
        default="skip",
        description="A time comes while a run is under way: it is skipped; one of them, or all, wait for the "
        "run's end; the run is cancelled; or they run side by side.",
    )
    catchup_seconds: Catchup = Field(
        default=CATCHUP_SECONDS, description="So late a time is still run, after the service was away."
    )
    runs: RunsLeft | None = Field(
        default=None, description="It ends after so many. Triggers and backfills do not count."
    )
    budget: ScheduleBudget | None = None
    paused: StrictBool = False
    note: Note | None = None


class SchedulePatch(Body):
    """What is to be changed; what is left out, or null where it can't be nothing, stays as it is."""

    name: ScheduleName | None = None
    spec: SpecBody | None = None
    job: JobBody | None = None
    overlap: Overlap | None = None
    catchup_seconds: Catchup | None = None
    runs: RunsLeft | None = Field(default=None, description="So many from now on; null: no limit.")
    budget: ScheduleBudget | None = Field(default=None, description="null: none.")
    paused: StrictBool | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing is to be changed")
        return self


class PreviewBody(Body):
    """A spec to be tried; nothing is saved."""

    spec: SpecBody
    count: Annotated[int, Field(ge=1, le=MOST_PREVIEWED, strict=True)] = 10


class NoteBody(Body):
    """Why."""

    note: Note | None = None


class BackfillBody(Body):
    """The times from ``start`` to ``end``, both included, are run now."""

    start: Moment
    end: Moment

    @field_validator("start", "end", mode="before")
    @classmethod
    def _written(cls, said: object) -> object:
        return as_written(said)

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.start > self.end:
            raise ValueError("ends before it starts")
        return self


class TimeAnswer(BaseModel):
    """A time of a schedule, in UTC and as the clock there shows it."""

    at: datetime
    local: datetime


class PreviewAnswer(BaseModel):
    """When a spec runs, in words, and the next times."""

    object: Literal["preview"] = "preview"
    words: str
    times: list[TimeAnswer] = Field(description="Without jitter.")
    jitter_seconds: int


class RunAnswer(BaseModel):
    """A run of a schedule, and how its job stands."""

    object: Literal["run"] = "run"
    number: int = Field(description="Counts the runs of the schedule from 1, in the order of their starts.")
    at: datetime = Field(description="The time that it is for.")
    job: str
    state: JobState | Literal["lost"] = Field(
        description="The job's; lost: neither the engine nor the store has its end."
    )
    hold: str | None = Field(description="Why the job is held, where it is; the job's status says more.")
    counts: ItemCounts | None
    settled_usd: str | None
    created_at: datetime


class RunPage(BaseModel):
    """Runs, by the times that they are for, the newest first."""

    object: Literal["list"] = "list"
    data: list[RunAnswer]
    has_more: bool
    last_id: str | None = Field(description="``after`` of the next page.")


class ScheduleBudgetAnswer(BaseModel):
    """The month's cap, and what of it is gone."""

    month_usd: str
    spent_usd: str
    committed_usd: str = Field(description="Spent, and leased to runs under way.")
    left_usd: str
    time_zone: str


class SpecAnswer(BaseModel):
    """When a schedule runs, as it is kept."""

    cron: list[str]
    calendars: list[Calendar]
    every_seconds: int | None
    time_zone: str
    jitter_seconds: int
    start: datetime | None
    end: datetime | None


class ScheduleAnswer(BaseModel):
    """A schedule, and how it stands."""

    id: str
    object: Literal["schedule"] = "schedule"
    name: str
    state: Literal["active", "paused", "ended"] = Field(
        description="ended: it has no more times, or no more runs; it can be triggered and backfilled still."
    )
    note: str | None
    spec: SpecAnswer
    words: str
    overlap: Overlap
    catchup_seconds: int
    runs_left: int | None = Field(description="How many more it starts by itself; null: no limit.")
    skipped: int = Field(description="Times that came while a run was under way, and became no run.")
    missed: int = Field(description="Times that passed while the service was away for too long.")
    job: dict[str, Any]
    budget: ScheduleBudgetAnswer | None
    next: list[TimeAnswer] = Field(description="When it starts runs by itself next, jitter included.")
    last_run: RunAnswer | None
    created_at: datetime


class SchedulePage(BaseModel):
    """Schedules, the newest first."""

    object: Literal["list"] = "list"
    data: list[ScheduleAnswer]
    has_more: bool
    last_id: str | None = Field(description="``after`` of the next page.")


class TriggerAnswer(BaseModel):
    """A run that begins now; with a policy that lets it wait, when the one before has ended."""

    object: Literal["trigger"] = "trigger"
    at: datetime
    job: str = Field(description="The job that it becomes: there in a moment.")


class BackfillAnswer(BaseModel):
    """How many times are run; those that ran before make no second job."""

    object: Literal["backfill"] = "backfill"
    times: int
