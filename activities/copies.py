"""Thumbnails and renditions of images that are stored and paid for: made where they can be.

Whatever goes wrong here is a warning of the item. Nothing of it is raised, and all of it ends within a
bounded time, even while the store is away: the original waits for the store, its copies do not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from activities.delivery import Place
from imagemill.domain.errors import ObjectMissing, StoreRefused, StoreUnavailable
from imagemill.domain.item import CallRecord, PlannedItem
from imagemill.domain.places import image_key, thumbnail_key
from imagemill.domain.renditions import (
    MOST_BYTES,
    MOST_THUMBNAIL_BYTES,
    THUMBNAIL_SPEC,
    Rendition,
    all_specs,
    copy_key,
    copy_warning,
)
from imagemill.domain.results import delivered_names
from imagemill.ports import Imaging, ObjectStore
from imagemill.sniff import CONTENT_TYPES

log = structlog.get_logger()
T = TypeVar("T")
LONGEST_WAIT = 5.0


@dataclass(slots=True)
class _Tally:
    """The copies that an item is to have, and which of them it does not have yet."""

    specs: Sequence[Rendition]
    keys: Sequence[str]
    """Of the images themselves."""
    missing: set[tuple[int, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.missing = {(number, spec.name) for number in range(len(self.keys)) for spec in self.specs}

    @property
    def warnings(self) -> list[str]:
        """One for each copy that is missing, in order."""
        return [
            copy_warning(spec.name, number, len(self.keys))
            for number in range(len(self.keys))
            for spec in self.specs
            if (number, spec.name) in self.missing
        ]


class Copies:
    """Makes the smaller copies of stored images, beside them.

    Args:
        store: where the images are delivered.
        imaging: makes them.
        prefix: of the delivery bucket.
        patience: seconds that an item waits for all of its copies at most.
    """

    def __init__(self, store: ObjectStore, imaging: Imaging, prefix: str, patience: float = 60) -> None:
        self._store = store
        self._imaging = imaging
        self._prefix = prefix
        self._patience = patience

    async def make(self, place: Place, call: CallRecord, images: Sequence[bytes]) -> list[str]:
        """Of images that were just stored. Answers with a warning for each copy that there is not."""
        tally = self._tally(place.item, place.job, call)

        async def one(number: int) -> None:
            await self._make(tally, number, tally.specs, images[number])

        return await self._in_time(tally, one, self._patience)

    async def mend(self, place: Place, call: CallRecord, patience: float | None = None) -> list[str]:
        """Of images that were found in the store: those that are not there yet, as after a worker's death."""
        tally = self._tally(place.item, place.job, call)

        async def one(number: int) -> None:
            there = await asyncio.gather(
                *(self._is_there(copy_key(tally.keys[number], spec)) for spec in tally.specs)
            )
            tally.missing -= {
                (number, spec.name) for spec, found in zip(tally.specs, there, strict=True) if found
            }
            lacking = [spec for spec, found in zip(tally.specs, there, strict=True) if not found]
            if lacking:
                data = await self._patiently(lambda: self._read(tally.keys[number]))
                if data is not None:
                    await self._make(tally, number, lacking, data)

        return await self._in_time(tally, one, self._patience if patience is None else patience)

    async def thumbnail(self, image: str) -> bytes | None:
        """The thumbnail of an image, by the image's key: made now where there is none. None: it can't be.

        Raises:
            StoreError: the store is away, or the image is gone.
        """
        key = thumbnail_key(image)
        try:
            return await self._read(key, MOST_THUMBNAIL_BYTES)
        except ObjectMissing:
            data = await self._read(image)
        [made] = [None] if data is None else await self._imaging.copies(data, [THUMBNAIL_SPEC])
        if made is not None:
            await self._store.put(key, made, content_type=CONTENT_TYPES[THUMBNAIL_SPEC.format])
        return made

    async def _read(self, key: str, most: int = MOST_BYTES) -> bytes | None:
        """An object of the bucket, whose owner may have put anything there; None: it is too large for one."""
        if (await self._store.head(key)).size > most:
            log.warning("an image is too large to be copied")
            return None
        return await self._store.get(key)

    def _tally(self, item: PlannedItem, job: str, call: CallRecord) -> _Tally:
        names = delivered_names(item.names, call)
        return _Tally(
            all_specs(item.renditions, thumbnail=item.thumbnail),
            [image_key(self._prefix, job, name) for name in names],
        )

    async def _in_time(
        self, tally: _Tally, one: Callable[[int], Awaitable[None]], patience: float
    ) -> list[str]:
        """Do it for each image at once; what is not done in time is given up."""
        if not tally.missing:
            return []

        async def guarded(number: int) -> None:
            try:
                await one(number)
            except Exception as error:  # noqa: BLE001 - the image itself is stored, whatever becomes of these
                log.warning("copies of an image are given up", error=type(error).__name__)

        try:
            async with asyncio.timeout(patience):
                await asyncio.gather(*(guarded(number) for number in range(len(tally.keys))))
        except TimeoutError:
            log.warning("copies of an image were not made in time", seconds=patience)
        return tally.warnings

    async def _make(self, tally: _Tally, number: int, specs: Sequence[Rendition], image: bytes) -> None:
        made = await self._imaging.copies(image, specs)
        await asyncio.gather(
            *(
                self._put(tally, number, spec, data)
                for spec, data in zip(specs, made, strict=True)
                if data is not None
            )
        )

    async def _put(self, tally: _Tally, number: int, spec: Rendition, data: bytes) -> None:
        key, kind = copy_key(tally.keys[number], spec), CONTENT_TYPES[spec.format]
        try:
            await self._patiently(lambda: self._store.put(key, data, content_type=kind))
        except StoreRefused as error:
            log.warning("the store refused a copy of an image", error=str(error))
        else:
            tally.missing.discard((number, spec.name))

    async def _is_there(self, key: str) -> bool:
        try:
            await self._patiently(lambda: self._store.head(key))
        except ObjectMissing:
            return False
        return True

    @staticmethod
    async def _patiently(step: Callable[[], Awaitable[T]]) -> T:
        """Do it while the store is away; who asks bounds how long."""
        wait = 0.2
        while True:
            try:
                return await step()
            except StoreUnavailable:
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)
