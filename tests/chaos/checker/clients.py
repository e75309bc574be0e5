"""What clients saw: calls that were begun, and how each of them ended, if anybody knows."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.chaos.checker.evidence import Json, Line

ENDED = ("completed", "completed_with_errors", "cancelled", "failed")
"""The end states of a job."""


@dataclass(frozen=True)
class Call:
    """One call of a client.

    `end` is its second line: ``ended`` (it was answered), ``failed`` (a definite no) or ``unknown``; None: it
    has none, and nobody knows how it ended either.
    """

    begin: Line
    end: Line | None

    @property
    def name(self) -> str:
        """What was asked for, such as ``submit`` or ``status``."""
        return str(self.begin.said["name"])

    @property
    def client(self) -> str:
        """Who asked."""
        return str(self.begin.said["client"])

    @property
    def tenant(self) -> str:
        """Whose key it had."""
        return str(self.begin.said.get("tenant"))

    @property
    def asked(self) -> Json:
        """The body that was sent."""
        return self.begin.said.get("body") or {}

    @cached_property
    def job(self) -> str | None:
        """The job that it is about, or that it made."""
        named = self.begin.said.get("job")
        if self.name in MAKERS:
            named = self.body.get("id") if isinstance(self.body, dict) else None
        return None if named is None else str(named)

    @property
    def key(self) -> str | None:
        """The idempotency key that it was sent with."""
        headers = self.begin.said.get("headers") or {}
        return {name.lower(): value for name, value in headers.items()}.get("idempotency-key")

    @property
    def outcome(self) -> str:
        """``ended``, ``failed`` or ``unknown``."""
        return str(self.end.said["event"]) if self.end else "unknown"

    @property
    def is_maybe(self) -> bool:
        """Nobody knows whether it was done, nor when it will have been."""
        return self.outcome == "unknown"

    @property
    def is_refused(self) -> bool:
        """It was not done, and never will be."""
        return self.outcome == "failed"

    @property
    def is_answered(self) -> bool:
        """It was answered, by more than that nothing had changed."""
        return self.outcome == "ended" and self.status != 304

    @property
    def status(self) -> int | None:
        """The HTTP status, if there was one."""
        return self.end.said.get("status") if self.end else None

    @property
    def body(self) -> Any:
        """What was answered."""
        return self.end.said.get("body") if self.end else None

    @property
    def began(self) -> float:
        """When it was begun."""
        return self.begin.time

    @property
    def done(self) -> float:
        """From when on it surely was over: never, if nobody knows how it ended."""
        return math.inf if self.is_maybe or self.end is None else self.end.time

    @property
    def places(self) -> list[str]:
        """The lines that show it."""
        return [line.where for line in (self.begin, self.end) if line]


MAKERS = ("submit", "retry", "final-resubmit")
"""Calls whose answer names a job that they made, or found."""
STATUS = ("status", "final-status")
"""Calls that read a job's status."""
LISTS = ("results", "items", "final-results")
"""Calls that are answered with items."""


class Clients:
    """All calls, in the order in which they were begun."""

    def __init__(self, lines: Iterable[Line]) -> None:
        ends: dict[Any, Line] = {}
        begins: list[Line] = []
        for line in lines:
            if line.said.get("event") == "begun":
                begins.append(line)
            elif "op" in line.said:
                ends.setdefault(line.said["op"], line)
        self.calls = [Call(begin, ends.get(begin.said["op"])) for begin in begins]
        self.calls.sort(key=lambda call: call.began)

    def of(self, *names: str, job: str | None = None) -> Iterator[Call]:
        """Calls of some names, and of one job if it is named."""
        for call in self.calls:
            if call.name in names and job in (None, call.job):
                yield call

    def last(self, name: str, job: str) -> Call | None:
        """The last call of this name about a job."""
        return next((call for call in reversed(self.calls) if call.name == name and call.job == job), None)

    def states(self, job: str) -> list[Call]:
        """All readings of a job's status by its own tenant that were answered."""
        return [call for call in self.of(*STATUS, job=job) if call.is_answered and has_state(call.body)]


def has_state(body: object) -> bool:
    """Is it a job's status?"""
    return isinstance(body, dict) and "state" in body and "items" in body


def rows(body: object) -> list[Json]:
    """The items that an answer lists: lines of results, or a page."""
    if isinstance(body, dict):
        body = body.get("data", [])
    return [row for row in body if isinstance(row, dict)] if isinstance(body, list) else []


def row_key(row: Json) -> tuple[str, str | None]:
    """What tells the items of a job apart."""
    return str(row.get("custom_id")), row.get("variant")
