"""What passes through the engine between a schedule and the job that one of its times becomes."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from imagemill.domain.messages import JobStart, Times

RUN = "imagemill.run"
PREPARE_RUN = "run.prepare"


class RunStart(BaseModel):
    """Which schedule a time of it has come for."""

    schedule: str
    tenant: str
    times: Times = Field(default_factory=Times)


class RunTask(BaseModel):
    """Write down the run of a schedule for this time, or find it."""

    schedule: str
    tenant: str
    at: datetime


class PreparedRun(BaseModel):
    """What is to be started; nothing where it was before, or there is a problem."""

    job: str
    number: int = 0
    start: JobStart | None = None
    problem: str | None = None


class RunEnd(BaseModel):
    """What came of a time of a schedule."""

    job: str
    outcome: Literal["ran", "duplicate", "no_run"]
    number: int = 0
    state: str | None = None
    """The job's state at its end, where this run waited for it."""
    problem: str | None = None
