"""Clocks that go on evenly when somebody sets the host's."""

import time
from collections.abc import Callable


def steady() -> float:
    """Seconds that only go forward, also while the host sleeps, from a moment that means nothing."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def epoch_clock() -> Callable[[], float]:
    """Seconds since the epoch, by the host's clock as it stands now, and evenly from then on."""
    ahead = time.time() - steady()
    return lambda: steady() + ahead
