"""Callers who wait for a job to change: one watcher a job reads for all of them, now and then."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from api.problems import Problem
from api.snapshots import Snapshot
from imagemill.domain.errors import ImagemillError

Read = Callable[[], Awaitable[Snapshot]]

FIRST_PAUSE = 0.5
LAST_PAUSE = 4.0
"""Seconds between two reads of a watched job; the longer nothing changes, the longer."""

WAITERS = 2000
WAITERS_A_TENANT = 500
STREAMS = 500
STREAMS_A_TENANT = 100


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


@dataclass
class _Watch:
    """One watched job."""

    waiting: int = 0
    latest: Snapshot | None = None
    news: "asyncio.Future[None]" = field(default_factory=_future)
    task: "asyncio.Task[None] | None" = None

    def tell(self) -> None:
        told, self.news = self.news, _future()
        told.set_result(None)


class Seats:
    """So many may be taken at once, and so many by one tenant."""

    def __init__(self, all_told: int, a_tenant: int | None = None) -> None:
        self.taken: Counter[str] = Counter()
        self._all_told = all_told
        self._a_tenant = all_told if a_tenant is None else a_tenant

    @contextlib.contextmanager
    def take(self, tenant: str) -> Iterator[bool]:
        """Take one for as long as the block runs. False: there is none left."""
        free = self.taken.total() < self._all_told and self.taken[tenant] < self._a_tenant
        self.taken[tenant] += free
        try:
            yield free
        finally:
            self.taken[tenant] -= free
            if not self.taken[tenant]:
                del self.taken[tenant]


class Watches:
    """The watched jobs of one process.

    Attributes:
        waiters: seats for those who wait for one change.
        streams: seats for those who are told every change.
    """

    def __init__(self) -> None:
        self.waiters = Seats(WAITERS, WAITERS_A_TENANT)
        self.streams = Seats(STREAMS, STREAMS_A_TENANT)
        self._watches: dict[tuple[str, str], _Watch] = {}
        self._closed = False

    @property
    def watched(self) -> int:
        """How many jobs are watched."""
        return len(self._watches)

    async def change(self, key: tuple[str, str], seen: Snapshot, read: Read) -> Snapshot | None:
        """The job as soon as it differs from what was seen; None: the process stops. Cancel it to give up."""
        watch = self._join(key, read)
        try:
            while not self._closed:
                latest = watch.latest
                if latest and latest.number > seen.number and latest.tag != seen.tag:
                    return latest
                await asyncio.shield(watch.news)
            return None
        finally:
            self._leave(key, watch)

    def close(self) -> None:
        """Let everybody go who waits."""
        self._closed = True
        for watch in self._watches.values():
            watch.tell()

    def _join(self, key: tuple[str, str], read: Read) -> _Watch:
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = _Watch()
            watch.task = asyncio.create_task(_keep_reading(watch, read))
        watch.waiting += 1
        return watch

    def _leave(self, key: tuple[str, str], watch: _Watch) -> None:
        watch.waiting -= 1
        if not watch.waiting and watch.task:
            watch.task.cancel()
            del self._watches[key]


async def _keep_reading(watch: _Watch, read: Read) -> None:
    """Until it is cancelled, for nobody waits any more."""
    pause = FIRST_PAUSE
    while True:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LAST_PAUSE)
        # What can't be read now may be read the next time; those who wait have an end of their own.
        with contextlib.suppress(ImagemillError, Problem):
            snapshot = await read()
            if watch.latest is None or snapshot.tag != watch.latest.tag:
                pause = FIRST_PAUSE
            watch.latest = snapshot
            watch.tell()
