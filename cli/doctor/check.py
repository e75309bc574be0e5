"""One thing that was looked at."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from cli.errors import harmless


class Found(StrEnum):
    """What was found."""

    FINE = "fine"
    DOUBT = "doubt"
    BAD = "bad"
    UNKNOWN = "unknown"


SIGNS = {Found.FINE: "✓", Found.DOUBT: "!", Found.BAD: "✗", Found.UNKNOWN: "-"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        found: whether it is well; only what is bad makes the command fail.
        detail: what was seen.
        mend: what would make it well.
    """

    name: str
    found: Found
    detail: str
    mend: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"found": self.found.value}

    def lines(self) -> Iterator[str]:
        """For people: what it is, and below it how to mend it."""
        first, *more = harmless(self.detail).splitlines() or [""]
        yield f"{SIGNS[self.found]} {self.name:<15} {first}"
        for line in more:
            yield f"  {'':<15} {line.strip()}"
        for line in harmless(self.mend).splitlines():
            yield f"  {'':<15} → {line}"


def fine(name: str, detail: str) -> Check:
    """Well."""
    return Check(name, Found.FINE, detail)


def doubt(name: str, detail: str, mend: str) -> Check:
    """Not as it should be, but nothing fails for it."""
    return Check(name, Found.DOUBT, detail, mend)


def bad(name: str, detail: str, mend: str) -> Check:
    """Something fails for it."""
    return Check(name, Found.BAD, detail, mend)


def unknown(name: str, detail: str) -> Check:
    """It could not be looked at."""
    return Check(name, Found.UNKNOWN, detail)
