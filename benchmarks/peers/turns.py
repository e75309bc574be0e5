"""How a peer is told to work: a line ``FOLDER IMAGES`` on its input is a turn, and ``done`` its answer.

So its start, its imports and its first connections are no part of what is measured.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable


async def take_turns(make_all: Callable[[str, int], Awaitable[None]]) -> None:
    """Work until the input ends."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        folder, images = line.split()
        await make_all(folder, int(images))
        print("done", flush=True)
