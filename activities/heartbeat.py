"""Heartbeats while an activity works, and how long ago the engine was last heard."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

DEFAULT_INTERVAL = 10.0


class Pulse:
    """When this activity last knew that the engine counts on it."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def age(self) -> float:
        """Seconds since the engine handed this attempt out, by the larger of two clocks.

        The own one misses a process that stood still before the activity began; the engine's would be
        wrong by what the two hosts' clocks differ.
        """
        own = time.monotonic() - self._began
        return max(own, time.time() - activity.info().started_time.timestamp())


@asynccontextmanager
async def heartbeats(interval: float = DEFAULT_INTERVAL) -> AsyncIterator[Pulse]:
    """Heartbeat until the block ends."""
    beating = asyncio.create_task(_beat(interval))
    try:
        yield Pulse()
    finally:
        beating.cancel()


async def _beat(interval: float) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(interval)
