"""What was really done to the parts, and when."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.chaos.checker.evidence import Json, Line

OUTSIDE = ("provider", "sink")
"""Kinds of faults that are answers of others; they touch no process and no connection of ours."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, from when and until when: at the longest, if nobody noted its end."""

    said: Json
    since: float
    until: float

    @property
    def kind(self) -> str:
        """Such as ``kill``, ``stop``, ``cut``."""
        return str(self.said.get("kind"))

    @property
    def is_outside(self) -> bool:
        """Is it an answer of somebody else, and nothing that befell a part?"""
        return self.kind in OUTSIDE or "client" in self._ends or "sink" in self._ends

    @property
    def _ends(self) -> tuple[object, object]:
        """Of a connection, who called whom."""
        return self.said.get("client"), self.said.get("server")


class Faults:
    """All faults, and when they were over."""

    def __init__(self, lines: Iterable[Line]) -> None:
        lines = list(lines)
        ends = {line.said.get("fault"): line.time for line in lines if line.said.get("event") == "end"}
        self.all = [
            Fault(line.said, line.time, ends.get(line.said.get("fault"), math.inf))
            for line in lines
            if line.said.get("event") == "begin"
        ]
        self.healed = _first(lines, "healed")
        self.drained = _first(lines, "drained")

    @property
    def kinds(self) -> dict[str, int]:
        """How many of each kind."""
        return dict(sorted(Counter(fault.kind for fault in self.all).items()))

    @property
    def of_parts(self) -> list[Fault]:
        """Those that befell a process, a disk, a clock or a connection."""
        return [fault for fault in self.all if not fault.is_outside]

    def touched(self, since: float, until: float, settle: float = 0.0) -> bool:
        """Did one befall a part between two moments, or end less than `settle` seconds before?"""
        return any(fault.since <= until and fault.until + settle >= since for fault in self.of_parts)


def _first(lines: Iterable[Line], event: str) -> float | None:
    return next((line.time for line in lines if line.said.get("event") == event), None)
