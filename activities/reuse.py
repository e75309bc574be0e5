"""Which items of a job an earlier item's images answer: found while it is planned, before it is priced.

1. load what was bought before, the newest first, into a file on disk;
2. hash each item's request, with the bytes of its input images;
3. ask the delivery bucket whether the images that were found are still there, as they were;
4. what is not found, not to be hashed or no more there is bought.

A plan is written once: where an earlier try has written a chunk, what it decided stands.
"""

import asyncio
import gzip
import hashlib
import json
import zlib
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import groupby
from typing import TypeVar
from urllib.parse import urlsplit

import structlog

from activities.inputs import Inputs
from imagemill.domain.errors import CallError, NotSent, ObjectMissing
from imagemill.domain.item import DeliveredImage, EarlierItem, PlannedItem
from imagemill.domain.job import Submission
from imagemill.domain.lines import from_lines
from imagemill.domain.places import CHUNK_ITEMS, facts_key, plan_key, reuse_prefix
from imagemill.domain.request import ImageRequest
from imagemill.domain.reuse import request_hash
from imagemill.earlier import Earlier
from imagemill.inputs.reference import Rules
from imagemill.ports import ObjectStore

log = structlog.get_logger()
T = TypeVar("T")
AT_ONCE = 32
"""Objects of either bucket that are asked for at once."""
FETCHED_AT_ONCE = 16
"""Input images in memory at once, of one plan."""
KEPT_HASHES = 100_000
"""Of input images, by their references."""
WAITS = (2.0, 10.0, 30.0)
"""Seconds before each further try at an input image that can't be reached: that it can't be compared means
that its item is bought, and a moment's trouble of a shop's server is no reason to buy its feed again."""
PATIENT_WITH = 100
"""Images of one server; where so many could not be had in all, each further one is tried once."""
LOST_AFTER = 2 * FETCHED_AT_ONCE
"""A server that let down so many images in a row is asked for no more of them: a plan has to end."""


class Reuse:
    """What one job may reuse; for the time of its planning."""

    def __init__(
        self,
        submission: Submission,
        control: ObjectStore,
        delivered: ObjectStore,
        contents: "Contents",
    ) -> None:
        self._submission = submission
        self._control = control
        self._delivered = delivered
        self._contents = contents
        self._earlier = Earlier()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._decided: tuple[int, list[PlannedItem] | None] = -1, None

    async def load(self) -> None:
        """Read the index of what was bought."""
        schedule = self._submission.schedule if self._submission.reuse == "schedule" else None
        keys = self._control.keys(reuse_prefix(self._submission.tenant, schedule))
        async for lines in _in_order(keys, self._lines):
            await asyncio.to_thread(self._earlier.add, lines)

    async def aclose(self) -> None:
        """Drop the file."""
        await self._contents.close()
        self._earlier.close()

    async def apply(self, items: Sequence[PlannedItem], first: int) -> None:
        """Note on each item what answers it, if anything does; ``first`` is the place of the first."""
        places = {id(item): first + number for number, item in enumerate(items)}
        for chunk, group in groupby(items, lambda item: places[id(item)] // CHUNK_ITEMS):
            some = list(group)
            decided = await self._decided_before(chunk)
            if decided is None:
                await self._look_up([item for item in some if item.request and not item.problem])
                continue
            for item in some:
                place = places[id(item)] % CHUNK_ITEMS
                item.reused = decided[place].reused if place < len(decided) else None

    async def _decided_before(self, chunk: int) -> list[PlannedItem] | None:
        """The chunk as an earlier try at this plan has written it."""
        if self._decided[0] != chunk:
            try:
                key = plan_key(self._submission.tenant, self._submission.job, chunk)
                lines = await self._control.get(key)
                self._decided = chunk, from_lines(PlannedItem, lines.splitlines())
            except ObjectMissing:
                self._decided = chunk, None
        return self._decided[1]

    async def _look_up(self, items: Sequence[PlannedItem]) -> None:
        digests = await asyncio.gather(*(self._hash(item.request) for item in items if item.request))
        wanted = {digest for digest in digests if digest}
        found = await asyncio.to_thread(self._earlier.find, wanted)
        there = await asyncio.gather(*(self._is_there(earlier) for earlier in found.values()))
        usable = {
            digest: earlier
            for (digest, earlier), is_there in zip(found.items(), there, strict=True)
            if is_there
        }
        for item, digest in zip(items, digests, strict=True):
            item.reused = usable.get(digest) if digest else None

    async def _hash(self, request: ImageRequest) -> str | None:
        """None: an input image can't be had, so that nobody knows what would be sent."""
        contents: dict[str, str] = {}
        for reference in request.references:
            digest = await self._contents.hash_of(reference)
            if digest is None:
                return None
            contents[reference] = digest
        return request_hash(request, contents)

    async def _is_there(self, earlier: EarlierItem) -> bool:
        answers = await asyncio.gather(*(self._lies(image) for image in earlier.images))
        return all(answers)

    async def _lies(self, image: DeliveredImage) -> bool:
        """Is it in the bucket as it was stored? Its owner may have deleted or replaced it."""
        async with self._slots:
            try:
                facts = await self._delivered.head(image.key)
            except ObjectMissing:
                return False
        said = facts.metadata.get("imagemill-sha256") or facts.metadata.get("sha256")
        return facts.size == image.bytes and said == image.sha256

    async def _lines(self, key: str) -> bytes:
        try:
            packed = await self._control.get(key)
        except ObjectMissing:  # removed since it was listed
            return b""
        try:
            return await asyncio.to_thread(gzip.decompress, packed)
        except (OSError, EOFError, zlib.error):
            log.warning("an object of the index of what was bought is damaged", key=key)
            return b""  # what it told of is bought; no job waits for it to be mended


class Contents:
    """The hashes of input images, each asked for once while it is remembered."""

    def __init__(
        self,
        control: ObjectStore,
        inputs: Inputs | None,
        rules: Rules,
        tenant: str,
        waits: Sequence[float] = WAITS,
    ) -> None:
        self._waits = waits
        self._let_down: Counter[str] = Counter()
        self._given_up: Counter[str] = Counter()
        self._control = control
        self._inputs = inputs
        self._rules = rules
        self._tenant = tenant
        self._slots = asyncio.Semaphore(FETCHED_AT_ONCE)
        self._known: OrderedDict[str, str | None] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[str | None]] = {}

    async def hash_of(self, reference: str) -> str | None:
        """The SHA-256 of what a reference stands for; None where it can't be had."""
        if reference in self._known:
            return self._known[reference]
        if reference not in self._under_way:
            self._under_way[reference] = asyncio.create_task(self._find(reference))
        digest = await asyncio.shield(self._under_way[reference])
        self._under_way.pop(reference, None)
        self._known[reference] = digest
        while len(self._known) > KEPT_HASHES:
            self._known.popitem(last=False)
        return digest

    async def close(self) -> None:
        """End what is still being fetched, where planning has failed."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _find(self, reference: str) -> str | None:
        async with self._slots:
            if self._rules.read(reference).kind == "file" and (told := await self._told(reference)):
                return told
            data = await self._content(self._inputs, reference) if self._inputs else None
            return (
                await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
                if data is not None
                else None
            )

    async def _content(self, inputs: Inputs, reference: str) -> bytes | None:
        """The bytes of an input image; None where they can't be had, also not after some more tries."""
        server = urlsplit(reference).netloc
        patient = self._given_up[server] < PATIENT_WITH
        for wait in (*(self._waits if patient else ()), None):
            if self._let_down[server] >= LOST_AFTER:
                break
            try:
                data = await inputs.content(self._tenant, reference)
            except NotSent:
                if wait is not None:
                    await asyncio.sleep(wait)
            except CallError as error:
                self._let_down[server] = 0  # it is there, and has answered
                log.info("an input image can't be compared", code=error.code)
                return None
            else:
                self._let_down[server] = 0
                return data
        self._let_down[server] += 1
        self._given_up[server] += 1
        log.info("an input image can't be compared", code="input_unreachable")
        return None

    async def _told(self, file_id: str) -> str | None:
        """The hash that an uploaded file came with; one that came in parts may have none."""
        try:
            facts = json.loads(await self._control.get(facts_key(self._tenant, file_id)))
        except ObjectMissing:
            return None
        told = facts.get("sha256")
        return told if isinstance(told, str) else None


async def _in_order(keys: AsyncIterator[str], read: Callable[[str], Awaitable[T]]) -> AsyncIterator[T]:
    """Read objects, some ahead of the one that is used."""
    ahead: list[asyncio.Task[T]] = []
    try:
        async for key in keys:
            ahead.append(asyncio.ensure_future(read(key)))
            if len(ahead) >= AT_ONCE:
                yield await ahead.pop(0)
        while ahead:
            yield await ahead.pop(0)
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)
