"""The images that a paid call is given: fetched once a job, and checked before they cost anything.

What comes from an address or another bucket is kept in control for the job, so that its many items and
their tries fetch it once, and all see the same bytes. An uploaded file lies in control already.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from imagemill.domain.errors import (
    NotSent,
    ObjectExists,
    ObjectMissing,
    Refused,
    StoreRefused,
    StoreUnavailable,
)
from imagemill.domain.places import file_key, input_key
from imagemill.domain.request import ImageRequest
from imagemill.inputs.check import Checked, check_image, check_markup, check_mask
from imagemill.inputs.reference import NoReference, Reference, Rules
from imagemill.ports import ObjectStore, SentInputs
from imagemill.sniff import CONTENT_TYPES
from imagemill.tenants import Tenants

MOST_TRIES = 5
"""An attempt after so many gives the item up if an image still can't be fetched."""

KEPT_BYTES = 256 * 1024 * 1024
_REFUSAL_BYTES = 500
"""What remembering a refusal counts for."""

Key = tuple[str, str, str]


class Fetcher(Protocol):
    """Fetches addresses."""

    async def fetch(self, address: str) -> bytes:
        """What lies there. Raises Refused (it never will), NotSent (try again)."""


class Inputs:
    """Fetches and checks the input images of requests."""

    def __init__(
        self,
        control: ObjectStore,
        fetcher: Fetcher,
        buckets: Callable[[str], ObjectStore | None],
        rules: Rules,
        *,
        tenants: Tenants | None = None,
        most_bytes: int,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._control = control
        self._fetcher = fetcher
        self._buckets = buckets
        self._rules = rules
        self._tenants = tenants or Tenants()
        self._most = most_bytes
        self._kept = Kept(kept_bytes)
        self._under_way: dict[Key, asyncio.Task[Checked]] = {}

    async def fetch(self, tenant: str, job: str, request: ImageRequest, *, attempt: int = 1) -> SentInputs:
        """What the references of a request stand for, checked.

        Raises:
            Refused: an image can't be had or may not be sent; it says which one.
            NotSent: an image may be had on another attempt; after some of them it is refused.
            StoreError: control is away.
        """
        named = request.named
        answers = await asyncio.gather(
            *(self._one(tenant, job, reference) for _, reference in named), return_exceptions=True
        )
        places = [place for place, _ in named]
        found = dict(zip(places, _sound(places, answers, attempt), strict=True))
        mask, markup = found.pop("mask", None), found.pop("markup", None)
        images = list(found.values())
        _check_with("mask", check_mask, mask, images)
        _check_with("markup", check_markup, markup, images)
        return SentInputs(
            images=tuple(image.sent for image in images),
            mask=mask.sent if mask else None,
            markup=markup.sent if markup else None,
        )

    async def _one(self, tenant: str, job: str, reference: str) -> Checked:
        """One image; many callers at once fetch it once, and what one of them breaks off goes on."""
        try:
            read = self._tenants.rules(tenant, self._rules).read(reference)
        except NoReference as error:
            raise Refused(error.code) from None
        key = (tenant, "" if read.kind == "file" else job, reference)
        kept = self._kept.get(key)
        if kept is None:
            task = self._under_way.get(key)
            if task is None:
                task = self._under_way[key] = asyncio.create_task(self._load(key, read))
                task.add_done_callback(lambda done: self._landed(key, done))
            return await asyncio.shield(task)
        if isinstance(kept, str):
            raise Refused(kept)
        return kept

    def _landed(self, key: Key, task: "asyncio.Task[Checked]") -> None:
        self._under_way.pop(key, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            checked = task.result()
            self._kept.put(key, checked, len(checked.sent.data))
        elif isinstance(error, Refused):
            self._kept.put(key, error.code, _REFUSAL_BYTES)

    async def _load(self, key: Key, reference: Reference) -> Checked:
        tenant, job, _ = key
        if reference.kind == "file":
            return await self._check(await self._uploaded(tenant, reference))
        place = input_key(tenant, job, reference.text)
        try:
            return await self._check(await self._control.get(place))
        except ObjectMissing:
            pass
        fetched = await self._fetched(reference)
        checked = await self._check(fetched)
        try:
            kind = CONTENT_TYPES[checked.sent.format]
            await self._control.put_new(place, fetched, content_type=kind)
        except ObjectExists:  # another worker was first, and what it fetched counts for the whole job
            return await self._check(await self._control.get(place))
        return checked

    async def content(self, tenant: str, reference: str) -> bytes:
        """What a reference stands for now, unchecked, and kept by nobody.

        Raises:
            Refused, NotSent: it can't be had, or not now.
            StoreError: control is away.
        """
        try:
            read = self._tenants.rules(tenant, self._rules).read(reference)
        except NoReference as error:
            raise Refused(error.code) from None
        if read.kind == "file":
            return await self._uploaded(tenant, read)
        return await self._fetched(read)

    async def _check(self, data: bytes) -> Checked:
        return await asyncio.to_thread(check_image, data, self._most)

    # --- where they come from -----------------------------------------------------------------

    async def _fetched(self, reference: Reference) -> bytes:
        if reference.kind == "address":
            return await self._fetcher.fetch(reference.text)
        return await self._object(reference)

    async def _uploaded(self, tenant: str, reference: Reference) -> bytes:
        try:
            return await self._whole(self._control, file_key(tenant, reference.text))
        except ObjectMissing:
            raise Refused("input_missing") from None

    async def _object(self, reference: Reference) -> bytes:
        store = self._buckets(reference.bucket)
        if store is None:
            raise Refused("input_bucket_not_allowed")
        try:
            return await self._whole(store, reference.key)
        except (ObjectMissing, StoreRefused):
            raise Refused("input_missing") from None
        except StoreUnavailable:
            raise NotSent("input_unreachable") from None

    async def _whole(self, store: ObjectStore, key: str) -> bytes:
        facts = await store.head(key)
        if facts.size >= self._most:
            raise Refused("input_too_large")
        return await store.get(key)


class Kept:
    """Images that were used last, and the codes of those that were refused, up to so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._entries: OrderedDict[Key, tuple[Checked | str, int]] = OrderedDict()

    def get(self, key: Key) -> Checked | str | None:
        """What is kept under a key, which makes it the last used."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key][0]

    def put(self, key: Key, value: Checked | str, size: int) -> None:
        """Keep something, and let go what was not used for longest."""
        _, before = self._entries.pop(key, (None, 0))
        self._entries[key] = value, size
        self._bytes += size - before
        while self._bytes > self._most:
            _, (_, gone) = self._entries.popitem(last=False)
            self._bytes -= gone


def _sound(places: Sequence[str], answers: Sequence[Checked | BaseException], attempt: int) -> list[Checked]:
    """The answers, if all are images; what can't be mended by trying again is told first."""
    failed = [
        (place, error)
        for place, error in zip(places, answers, strict=True)
        if isinstance(error, BaseException)
    ]
    for place, error in failed:
        if isinstance(error, Refused):
            raise Refused(error.code, where=place)
    for place, error in failed:
        if isinstance(error, NotSent) and attempt > MOST_TRIES:
            raise Refused(error.code, where=place)
        raise error
    return [answer for answer in answers if isinstance(answer, Checked)]


def _check_with(
    place: str, check: Callable[[Checked, Checked], None], overlay: Checked | None, images: Sequence[Checked]
) -> None:
    if overlay is None:
        return
    try:
        check(overlay, images[0])
    except Refused as refusal:
        raise Refused(refusal.code, where=place) from None
