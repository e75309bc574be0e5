"""Spans of time, as options: 90s, 15m, 2h, 7d."""

import re
from datetime import UTC, datetime

import typer

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds_of(text: str) -> int:
    """A span in seconds.

    Raises:
        BadParameter: it is none.
    """
    found = re.fullmatch(r"(\d{1,7})([smhdw])", text.strip())
    if not found:
        raise typer.BadParameter(f"{text!r} is no span of time; one looks like 90s, 15m, 2h or 7d")
    return int(found[1]) * UNITS[found[2]]


def moment_of(text: str) -> str:
    """A moment as RFC 3339: what was typed; without a time zone it is UTC.

    Raises:
        BadParameter: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no moment; one looks like 2027-01-31 or 2027-01-31T06:00:00+01:00"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
