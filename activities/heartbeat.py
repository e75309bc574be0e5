"""Heartbeats while an activity works, and how long ago the engine was last heard."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

from imagemill.clocks import steady

LONGEST_INTERVAL = 10.0
BEATS = 4
"""So many heartbeats fit into the time after which the engine gives an attempt up."""
REMEMBERED = 1000
"""Attempts whose lateness is compared: many more than one worker is handed out while it stands still."""


class Lateness:
    """How late attempts reach this process, by what they tell of when the engine handed them out.

    The engine's clock and this process's steady one differ by a constant, plus the time that an attempt was
    on its way. The least difference of the last attempts is taken for the constant, so what an attempt has
    above it is its lateness. The host's wall clock is one witness, from the moment when this was made: it is
    needed only for the first attempts, and setting it later changes nothing.
    """

    def __init__(self) -> None:
        self._differences = deque([steady() - time.time()], maxlen=REMEMBERED)

    def of(self, handed_out: float, received: float) -> float:
        """Seconds by which an attempt is late that was handed out at that time, and received at that one.

        The first is the engine's, in seconds since the epoch; the second is this process's steady one.
        """
        difference = received - handed_out
        self._differences.append(difference)
        return difference - min(self._differences)


class Pulse:
    """When this activity last knew that the engine counts on it."""

    def __init__(self, lateness: Lateness) -> None:
        self._began = steady()
        self._late = lateness.of(activity.info().started_time.timestamp(), self._began)

    def age(self) -> float:
        """Seconds since the engine handed this attempt out.

        The time in which a process stood still before the activity began is part of it.
        """
        return steady() - self._began + self._late


@asynccontextmanager
async def heartbeats(interval: float | None = None, lateness: Lateness | None = None) -> AsyncIterator[Pulse]:
    """Heartbeat until the block ends: every so many seconds, or as often as the attempt's timeout needs."""
    beating = asyncio.create_task(_beat(_interval() if interval is None else interval))
    try:
        yield Pulse(lateness or Lateness())
    finally:
        beating.cancel()


def _interval() -> float:
    timeout = activity.info().heartbeat_timeout
    return LONGEST_INTERVAL if timeout is None else min(LONGEST_INTERVAL, timeout.total_seconds() / BEATS)


async def _beat(interval: float) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(interval)
