"""Trying again while the service is away."""

from asyncio import sleep
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cli.errors import ServiceAway

Answer = TypeVar("Answer")
WAITS = (0.2, 0.5, 1.0, 2.0)
LONGEST_WAIT = 5.0


async def patiently(call: Callable[[], Awaitable[Answer]], *, say: Callable[[str], None]) -> Answer:
    """Calls until it is answered, at most four times more; waits longer each time, or as long as asked to.

    Args:
        call: must be harmless to repeat.
        say: told once, before the first wait.

    Raises:
        ServiceAway: it was away to the end.
    """
    for number, wait in enumerate(WAITS):
        try:
            return await call()
        except ServiceAway as error:
            if number == 0:
                say(f"{str(error).splitlines()[0]} Trying again.")
            await sleep(min(max(wait, error.wait or 0.0), LONGEST_WAIT))
    return await call()
