"""Is there a place for the next image? Asked before each paid call: one with nowhere to go is money lost."""

import asyncio
import time
from collections.abc import Callable

from imagemill.domain.errors import ObjectExists, StoreError
from imagemill.ports import ObjectStore
from imagemill.storage_probe import PROBE_KEY

FRESH = 5.0
"""Seconds for which the last put that was taken speaks for the next one."""

AGAIN = 1.0
"""Seconds after which a bucket that took none is tried again."""


class Room:
    """What is known of one bucket: by the images that were put there, or by the probe's object.

    Args:
        store: the bucket.
        clock: seconds, of any beginning.
    """

    def __init__(self, store: ObjectStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._trouble: StoreError | None = None
        self._known_at = float("-inf")
        self._turn = asyncio.Lock()

    @property
    def trouble(self) -> StoreError | None:
        """Why the bucket took nothing when it was tried last; None: it did."""
        return self._trouble

    def took(self) -> None:
        """A put went through, or was refused for an object that is there."""
        self._trouble, self._known_at = None, self._clock()

    def refused(self, error: StoreError) -> None:
        """A put did not."""
        self._trouble, self._known_at = error, self._clock()

    async def check(self) -> None:
        """Does the bucket take objects? It is asked where nothing is known of the last seconds.

        Raises:
            StoreError: it does not.
        """
        async with self._turn:
            if self._clock() - self._known_at > (AGAIN if self._trouble else FRESH):
                await self._probe()
            if self._trouble:
                raise self._trouble.with_traceback(None)

    async def _probe(self) -> None:
        try:
            await self._store.put_new(PROBE_KEY, b"imagemill", content_type="text/plain")
        except ObjectExists:
            self.took()
        except StoreError as error:
            self.refused(error)
        else:
            self.took()
