"""Which jobs were answered a moment ago; those of which that is longer ago are forgotten."""

from collections import OrderedDict
from collections.abc import Set as AbstractSet


class Lately:
    """Jobs by the time of their last answer, as many as had one within so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._answered: OrderedDict[str, float] = OrderedDict()

    def note(self, job: str, now: float) -> None:
        """A job has just been answered."""
        self._answered[job] = now
        self._answered.move_to_end(job)
        self._forget(now)

    def others(self, jobs: AbstractSet[str], now: float) -> bool:
        """Was any other job answered a moment ago?"""
        self._forget(now)
        return bool(self._answered.keys() - jobs)

    def __len__(self) -> int:
        return len(self._answered)

    def _forget(self, now: float) -> None:
        """The oldest stands first."""
        while self._answered and now - next(iter(self._answered.values())) >= self._seconds:
            self._answered.popitem(last=False)
