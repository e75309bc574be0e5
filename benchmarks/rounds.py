"""Several things measured by turns, and what is said of repeated measures.

A machine is never the same twice: other work comes and goes, caches fill, clocks change. What is compared is
therefore measured in rounds, each round all of them, and ratios are formed within a round. The order shifts
from round to round, so that none always follows the same other.
"""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """Of repeated measures of one thing: the middle, both ends, and how many there were."""

    median: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    def shown(self, decimals: int = 2) -> str:
        """For people."""
        return f"{self.median:.{decimals}f} ({self.least:.{decimals}f} to {self.most:.{decimals}f})"


async def alternate(measures: Mapping[str, Callable[[], Awaitable[T]]], rounds: int) -> dict[str, list[T]]:
    """Measure each once a round.

    Returns:
        By name, the measures in the order of the rounds: those of one round have the same place.
    """
    found: dict[str, list[T]] = {name: [] for name in measures}
    for number in range(rounds):
        for name in order(list(measures), number):
            found[name].append(await measures[name]())
    return found


def order(names: Sequence[str], number: int) -> list[str]:
    """Of a round: forward in one, backward in the next, and each pair of rounds begins with another."""
    start = number // 2 % len(names)
    shifted = [*names[start:], *names[:start]]
    return shifted[::-1] if number % 2 else shifted


def ratios(these: Sequence[float], those: Sequence[float]) -> Spread:
    """One over the other, round by round."""
    return Spread.of([this / that for this, that in zip(these, those, strict=True)])
