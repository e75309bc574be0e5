"""When a schedule is to run, as a caller says it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, Field, field_validator, model_validator

from api.models import Body
from imagemill.domain.schedules import LEAST_APART, Calendar, Spec, cron_problem, ranges
from imagemill.domain.windows import zone

LONGEST_JITTER = 86_400


def _a_named_zone(name: str) -> str:
    """Of an offset such as +05:30 the engine knows nothing: it says no summer time either."""
    if name.startswith(("+", "-")):
        raise ValueError(f"{name!r} is no time zone; give a name such as Europe/Berlin")
    try:
        zone(name)
    except ValueError:
        raise ValueError(f"{name!r} is no time zone; give a name such as Europe/Berlin") from None
    return name


def _a_cron(text: str) -> str:
    if problem := cron_problem(text):
        raise ValueError(problem)
    return text


def _a_moment(moment: datetime) -> datetime:
    """The engine counts from 1970, and the calendar ends in 2100."""
    if not datetime(2000, 1, 1, tzinfo=UTC) <= moment < datetime(2100, 1, 1, tzinfo=UTC):
        raise ValueError(f"{moment.isoformat()} is not within 2000 and 2099")
    return moment.astimezone(UTC)


def as_written(said: object) -> object:
    """A time as text, and not as a number of seconds."""
    if not isinstance(said, str | datetime):
        raise ValueError("is no time of RFC 3339, such as 2026-05-01T12:00:00+02:00")
    return said


Moment = Annotated[AwareDatetime, AfterValidator(_a_moment)]
Zone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_a_named_zone)]
CalendarField = (
    Annotated[int, Field(ge=0, le=2100, strict=True)]
    | Annotated[str, Field(min_length=1, max_length=100)]
    | Annotated[list[int | str], Field(min_length=1, max_length=60)]
)
"""An integer, or text as in a cron expression, or a list of both."""


class CalendarBody(Body):
    """Times by the calendar. A field is a number, ``2-5``, ``*``, ``*/10``, or a list of these."""

    year: CalendarField = "*"
    month: CalendarField = Field(default="*", description="1 to 12, or jan to dec.")
    day_of_month: CalendarField = "*"
    day_of_week: CalendarField = Field(default="*", description="0 (Sunday) to 6, 7, or sun to sat.")
    hour: CalendarField = 0
    minute: CalendarField = 0
    second: CalendarField = 0
    comment: Annotated[str, Field(max_length=200)] | None = None

    @field_validator("year", "month", "day_of_month", "day_of_week", "hour", "minute", "second")
    @classmethod
    def _reads(cls, said: Any, info: Any) -> Any:
        ranges(info.field_name, _text(said))
        return said

    def stored(self) -> Calendar:
        """As it is kept."""
        said = {name: _text(value) for name, value in self.model_dump(exclude={"comment"}).items()}
        return Calendar(**said, comment=self.comment)


def _text(said: int | str | list[int | str]) -> str:
    return ",".join(map(str, said)) if isinstance(said, list) else str(said)


class SpecBody(Body):
    """When a schedule runs: at each time that cron, calendars or the interval name, between start and end."""

    cron: Annotated[
        list[Annotated[str, Field(max_length=200, examples=["0 6 * * 1"]), AfterValidator(_a_cron)]],
        Field(max_length=20),
    ] = Field(
        default=[],
        description="Five fields: minute, hour, day of month, month, day of week; six: with the year behind "
        "them; seven: with the second before them too. Where both days are said, both must fit.",
    )
    calendars: list[CalendarBody] = Field(default=[], max_length=20)
    every_seconds: Annotated[int, Field(ge=LEAST_APART, le=366 * 86_400, strict=True)] | None = Field(
        default=None, description="An interval, counted from 1970-01-01T00:00:00Z."
    )
    time_zone: Zone = Field(
        default="UTC",
        description="Whose clock cron and calendars mean. A time that a change of the clock skips is not "
        "run; one that comes twice is run once.",
    )
    jitter_seconds: Annotated[int, Field(ge=0, le=LONGEST_JITTER, strict=True)] = Field(
        default=0, description="Each start is put off by chance, by up to so much."
    )
    start: Moment | None = None
    end: Moment | None = None

    @field_validator("start", "end", mode="before")
    @classmethod
    def _written(cls, said: object) -> object:
        return said if said is None else as_written(said)

    @model_validator(mode="after")
    def _names_times(self) -> Self:
        if not (self.cron or self.calendars or self.every_seconds):
            raise ValueError("names no times: give cron, calendars or every_seconds")
        if self.start and self.end and self.start >= self.end:
            raise ValueError("ends before it starts")
        return self

    def stored(self) -> Spec:
        """As it is kept."""
        said = self.model_dump(exclude={"calendars"})
        return Spec(**said, calendars=[calendar.stored() for calendar in self.calendars])
