"""Trying again while the service is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cli.errors import ServiceAway

Answer = TypeVar("Answer")
sleep = asyncio.sleep  # tests put another one here, and wait for nothing
Say = Callable[[str], None]
WAITS = (0.2, 0.5, 1.0, 2.0)
LONGEST_WAIT = 5.0
# What has begun and may take long outlives a restart of the service: it waits for minutes.
STUBBORN = (*WAITS, *[LONGEST_WAIT] * 60)


async def patiently(
    call: Callable[[], Awaitable[Answer]], *, say: Say, waits: tuple[float, ...] | None = None
) -> Answer:
    """Calls until it is answered, at most four times more; waits longer each time, or as long as asked to.

    Args:
        call: must be harmless to repeat.
        say: told once, before the first wait.
        waits: other waits, in seconds.

    Raises:
        ServiceAway: it was away to the end.
    """
    for number, wait in enumerate(WAITS if waits is None else waits):
        try:
            return await call()
        except ServiceAway as error:
            if number == 0:
                say(f"{str(error).splitlines()[0]} Trying again.")
            await sleep(min(max(wait, error.wait or 0.0), LONGEST_WAIT))
    return await call()
