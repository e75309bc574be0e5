"""What is said of spending."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from imagemill_client.models._base import Answer


class Spend(Answer):
    """Money spent."""

    settled_usd: Decimal
    written_off_usd: Decimal


class Window(Spend):
    """A cap, and what is left of it in the window that is open now; no cap: both are None."""

    limit_usd: Decimal | None
    left_usd: Decimal | None
    ends_at: datetime


class DaySpend(Spend):
    """What was spent on a day of the tenant's time zone."""

    date: date
    models: Mapping[str, Spend]


class JobSpend(Spend):
    """What a job has spent in all."""

    id: str
    name: str | None
    state: str


class Usage(Spend):
    """What the key's tenant has spent, by day, model and job, and what its caps leave."""

    tenant: str
    as_of: datetime
    time_zone: str
    first: date
    last: date
    day: Window
    month: Window
    leased_usd: Decimal
    days: tuple[DaySpend, ...]
    models: Mapping[str, Spend]
    jobs: tuple[JobSpend, ...]
