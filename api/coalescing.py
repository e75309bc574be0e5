"""Many ask the same at once: one read answers all who asked before it began.

Nobody is answered by a read that began before the question came: what one caller has seen, through
whatever process, is never taken back from the next.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

AT_ONCE = 10
"""Reads under way in one process; the others gather more who ask."""

OF_ONE = 8
"""Of these, in the name of one tenant: its flood leaves some to others."""

REST = 9.0
"""A read is followed by so many times its own duration without one of the same thing: the slower the
engine answers, the more callers share an answer. Who asks for what nobody else asks for never waits."""

LONGEST_REST = 0.1
"""Seconds. Where many ask for few jobs each of them waits so long, and no longer, for the sake of the engine;
how much all reads together ask of it is bounded by ``AT_ONCE``."""


class Coalescer(Generic[K, V]):
    """Reads by key, one of a key at a time.

    Attributes:
        reads: how many have been made.
    """

    def __init__(self, whose: Callable[[K], Hashable] = lambda key: None) -> None:
        """``whose`` says in whose name a key is read."""
        self.reads = 0
        self._whose = whose
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._of_one: defaultdict[Hashable, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(OF_ONE)
        )
        self._gathering: dict[K, list[asyncio.Future[V]]] = {}
        self._readers: dict[K, asyncio.Task[None]] = {}

    def read(self, key: K, how: Callable[[], Awaitable[V]]) -> "asyncio.Future[V]":
        """What a read brings that begins after this call; cancel it to go.

        ``how`` reads what ``key`` stands for, and is called in the name of all who wait for it. What it
        raises is raised for each of them.
        """
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._gathering.setdefault(key, []).append(answer)
        if key not in self._readers:
            self._readers[key] = asyncio.create_task(self._serve(key, how))
        return answer

    async def _serve(self, key: K, how: Callable[[], Awaitable[V]]) -> None:
        try:
            while key in self._gathering:
                rest = await self._serve_once(key, how)
                await asyncio.sleep(rest)
        finally:
            del self._readers[key]

    async def _serve_once(self, key: K, how: Callable[[], Awaitable[V]]) -> float:
        """One read; how long to leave the thing alone after it, in seconds."""
        clock = asyncio.get_running_loop().time
        async with self._of_one[self._whose(key)], self._at_once:
            began = clock()
            asked = self._gathering.pop(key)  # who comes from now on waits for the next
            self.reads += 1
            try:
                value = await how()
            except Exception as error:  # noqa: BLE001 - it is raised for those who wait
                for answer in _waiting(asked):
                    answer.set_exception(error)
            else:
                for answer in _waiting(asked):
                    answer.set_result(value)
        return min(REST * (clock() - began), LONGEST_REST)


def _waiting(answers: "list[asyncio.Future[V]]") -> "Iterator[asyncio.Future[V]]":
    """Those whose callers have not gone."""
    return (answer for answer in answers if not answer.done())
