"""What is read of a schedule and its runs."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict


class Time(BaseModel):
    """A time at which a schedule runs: as an instant, and where the schedule is."""

    at: datetime
    local: datetime


class Preview(BaseModel):
    """When something would run."""

    words: str
    times: list[Time]
    jitter_seconds: float = 0


class Run(BaseModel):
    """A run, and the job that it became."""

    number: int
    at: datetime
    job: str | None
    state: str
    hold: str | None = None


class Budget(BaseModel):
    """A schedule's cap by month, and what is left of it."""

    month_usd: Decimal
    spent_usd: Decimal
    left_usd: Decimal | None = None


class Schedule(BaseModel):
    """A schedule."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    name: str
    state: str
    note: str | None
    spec: dict[str, Any]
    words: str
    overlap: str
    runs_left: int | None
    job: dict[str, Any]
    budget: Budget | None
    next: list[Time]
    last_run: Run | None
