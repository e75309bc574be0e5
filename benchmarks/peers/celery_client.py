"""Who gives the Celery worker its tasks, and waits for them."""

import asyncio

from celery import group

from benchmarks.peers.celery_app import make
from benchmarks.peers.turns import take_turns


def run(folder: str, images: int) -> None:
    """So many images."""
    tasks = group(make.s(f"A vase, number {number}", f"{folder}/{number}.png") for number in range(images))
    tasks.apply_async().get()


async def make_all(folder: str, images: int) -> None:
    """The same beside an event loop."""
    await asyncio.to_thread(run, folder, images)


if __name__ == "__main__":
    asyncio.run(take_turns(make_all))
