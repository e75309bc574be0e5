"""What a schedule can be told: when it runs, and on which terms."""

import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.money import parse_amount
from cli.spans import moment_of, seconds_of


class Overlap(StrEnum):
    """What becomes of a run whose predecessor has not ended."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    CANCEL_OTHER = "cancel_other"
    ALLOW_ALL = "allow_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The times; what is not given is not in it."""

    cron: Annotated[
        list[str] | None,
        typer.Option(metavar="EXPRESSION", help="Such as '0 6 * * 1': Mondays at six; repeatable."),
    ] = None
    every: Annotated[str | None, typer.Option(metavar="SPAN", help="Such as 6h, instead of a calendar.")] = (
        None
    )
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Where six o'clock is meant: Europe/Berlin. Else UTC.")
    ] = None
    jitter: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Each run starts later by a random time up to this.")
    ] = None
    start: Annotated[str | None, typer.Option(metavar="MOMENT", help="No run before then.")] = None
    end: Annotated[str | None, typer.Option(metavar="MOMENT", help="No run after then.")] = None

    @property
    def spec(self) -> dict[str, Any]:
        """As the service takes it."""
        said = {
            "cron": self.cron or None,
            "every_seconds": self.every and seconds_of(self.every),
            "time_zone": self.time_zone,
            "jitter_seconds": self.jitter and seconds_of(self.jitter),
            "start": self.start and moment_of(self.start),
            "end": self.end and moment_of(self.end),
        }
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Everything else of a schedule, but its name and its job."""

    overlap: Annotated[Overlap | None, typer.Option(help="While the run before has not ended.")] = None
    catchup: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="Runs that the service was away for are made up for if no older."),
    ] = None
    runs: Annotated[int | None, typer.Option(min=1, help="How many runs are left in all.")] = None
    month_usd: Annotated[
        str | None, typer.Option(metavar="USD", help="What all its runs may spend in a month.")
    ] = None
    note: Annotated[str | None, typer.Option(help="For people.")] = None

    @property
    def body(self) -> dict[str, Any]:
        """As the service takes it."""
        if self.month_usd is not None:
            parse_amount(self.month_usd, "--month-usd")
        said = {
            "overlap": self.overlap and self.overlap.value,
            "catchup_seconds": self.catchup and seconds_of(self.catchup),
            "runs": self.runs,
            "budget": self.month_usd and {"month_usd": self.month_usd},
            "note": self.note,
        }
        return {name: value for name, value in said.items() if value is not None}


From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="FILE", help="A schedule as JSON, for what has no option; - is standard input."
    ),
]


def read_schedule(source: str | None) -> dict[str, Any]:
    """A schedule's body from a file; what is typed wins over it."""
    if source is None:
        return {}
    try:
        body = json.loads(sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{source} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise typer.BadParameter(f"the schedule is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise typer.BadParameter("the schedule is JSON, but no object")
    return body


def over(body: dict[str, Any], when: When, terms: Terms) -> dict[str, Any]:
    """A schedule's body with what was typed."""
    spec = (body.get("spec") or {}) | when.spec
    if "every_seconds" in when.spec and "cron" not in when.spec:
        spec.pop("cron", None)
        spec.pop("calendars", None)
    elif "cron" in when.spec and "every_seconds" not in when.spec:
        spec.pop("every_seconds", None)
        spec.pop("calendars", None)
    budget = (body.get("budget") or {}) | terms.body.get("budget", {})
    return body | terms.body | ({"spec": spec} if spec else {}) | ({"budget": budget} if budget else {})
