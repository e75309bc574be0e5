"""How a stack tells what becomes of its parts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class PartReport:
    """What became of a part.

    Attributes:
        name: the part.
        state: `died` is for an end by itself; `stopped` for one that was asked for.
        address: where it answers, if it listens.
        seconds: how long it took to get ready.
    """

    name: str
    state: Literal["starting", "ready", "stopped", "died"]
    address: str | None = None
    seconds: float = 0.0


Reporter = Callable[[PartReport], None]


def silent(_report: PartReport) -> None:
    """Tells nobody."""
