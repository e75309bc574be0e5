import asyncio

import pytest

from activities.room import AGAIN, FRESH, Room
from imagemill.domain.errors import StoreRefused, StoreUnavailable
from tests.fakes.store import MemoryStore


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_bucket_is_tried_once_for_all_who_ask_within_seconds() -> None:
    store, clock = MemoryStore(), Clock()
    room = Room(store, clock)

    await asyncio.gather(*(room.check() for _ in range(20)))
    assert len(store.calls) == 1
    clock.now += FRESH + 0.1
    await room.check()  # the probe's object is there, which is as good
    assert len(store.calls) == 2


async def test_a_paid_image_that_was_stored_speaks_for_the_bucket() -> None:
    store, clock = MemoryStore(), Clock()
    room = Room(store, clock)
    room.took()
    await room.check()

    assert store.calls == []


async def test_a_bucket_that_refuses_is_tried_again_now_and_then_until_it_takes() -> None:
    store, clock = MemoryStore(), Clock()
    store.refuses = True
    room = Room(store, clock)

    for _ in range(3):
        with pytest.raises(StoreRefused):
            await room.check()
    assert len(store.calls) == 1
    store.refuses = False
    with pytest.raises(StoreRefused):
        await room.check()
    clock.now += AGAIN + 0.1
    await room.check()
    assert room.trouble is None


async def test_what_a_waiting_image_was_told_counts_at_once() -> None:
    store, clock = MemoryStore(), Clock()
    room = Room(store, clock)
    await room.check()
    room.refused(StoreUnavailable())

    with pytest.raises(StoreUnavailable):
        await room.check()
