"""Images into the delivery bucket, and the record of which call's images count for an item.

One image is its own record: a conditional put of the bytes under the item's name, with the
reservation and the cost as metadata. Several images can't be put at once, so their names carry the
reservation, and one conditional put of the item's record in control says which set counts.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import structlog

from activities.room import Room
from imagemill.domain.errors import ObjectExists, ObjectMissing, StoreError
from imagemill.domain.item import CallRecord, ImageFacts, PlannedItem
from imagemill.domain.places import image_key, record_key
from imagemill.domain.results import set_names
from imagemill.ports import ObjectStore
from imagemill.sniff import content_type

log = structlog.get_logger()
T = TypeVar("T")
LONGEST_WAIT = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Whose item it is."""

    tenant: str
    job: str
    chunk: int
    item: PlannedItem


class Delivery:
    """Both buckets, as far as the images of an item are concerned."""

    def __init__(self, control: ObjectStore, delivery: ObjectStore, prefix: str) -> None:
        self._control = control
        self._delivery = delivery
        self.prefix = prefix
        self.delivery_room, self.control_room = Room(delivery), Room(control)

    async def check_room(self) -> None:
        """Is there a place for what is about to be bought? Raises StoreError: there is none just now."""
        for room in (self.delivery_room, self.control_room):
            await room.check()

    @property
    def trouble(self) -> StoreError | None:
        """Why there is none, by what is known already; None: there was when a bucket was heard last."""
        return self.delivery_room.trouble or self.control_room.trouble

    async def find(self, place: Place) -> CallRecord | None:
        """The call whose images count for this item, if any are stored."""
        if len(place.item.names) == 1:
            record = await self._single(place)
            if record:
                return record
        return await self._set(place)

    async def store(self, place: Place, call: CallRecord, images: Sequence[bytes]) -> CallRecord:
        """Store what a call brought. Answers the record that counts: another's, if it was there first.

        While the store is away the bytes wait here: they are paid for.
        """
        if len(images) == 1 and len(place.item.names) == 1:
            winner = await self._store_single(place, call, images[0])
            if winner:
                return winner
        return await self._store_set(place, call.model_copy(update={"as_set": True}), images)

    # --- one image ----------------------------------------------------------------------------

    async def _store_single(self, place: Place, call: CallRecord, image: bytes) -> CallRecord | None:
        """None: something that is not ours lies under the name."""
        key = self._key(place, place.item.names[0])
        try:
            await patiently(
                lambda: self._delivery.put_new(
                    key, image, content_type=content_type(call.images[0]), metadata=as_metadata(call)
                ),
                self.delivery_room,
            )
        except ObjectExists:
            return await patiently(lambda: self._single(place), self.delivery_room)
        return call

    async def _single(self, place: Place) -> CallRecord | None:
        try:
            facts = await self._delivery.head(self._key(place, place.item.names[0]))
        except ObjectMissing:
            return None
        return from_metadata(facts.metadata, facts.size)

    # --- several images -----------------------------------------------------------------------

    async def _store_set(self, place: Place, call: CallRecord, images: Sequence[bytes]) -> CallRecord:
        names = set_names(place.item.names, call.reservation, len(images))
        puts = [
            self._put_one_of_set(self._key(place, name), image, facts)
            for name, image, facts in zip(names, images, call.images, strict=True)
        ]
        await asyncio.gather(*puts)
        key = record_key(place.tenant, place.job, place.chunk, place.item.index)
        try:
            record = call.model_dump_json().encode()
            await patiently(lambda: self._control.put_new(key, record), self.control_room)
        except ObjectExists:
            winner = await patiently(lambda: self._set(place), self.control_room)
            return winner or call
        return call

    async def _put_one_of_set(self, key: str, image: bytes, facts: ImageFacts) -> None:
        # It can only be there by an earlier try of this very put, since the name carries our reservation.
        with suppress(ObjectExists):
            await patiently(
                lambda: self._delivery.put_new(
                    key, image, content_type=content_type(facts), metadata={"sha256": facts.sha256}
                ),
                self.delivery_room,
            )

    async def _set(self, place: Place) -> CallRecord | None:
        key = record_key(place.tenant, place.job, place.chunk, place.item.index)
        try:
            return CallRecord.model_validate_json(await self._control.get(key))
        except ObjectMissing:
            return None

    def _key(self, place: Place, name: str) -> str:
        return image_key(self.prefix, place.job, name)


def as_metadata(call: CallRecord) -> dict[str, str]:
    """A call as the metadata of its one image. Everything in it is short: see ``CallRecord``."""
    facts = call.images[0]
    said = {
        "reservation": call.reservation,
        "call": call.call,
        "model": call.model[:100],
        "sha256": facts.sha256,
        "pixels": f"{facts.width}x{facts.height}",
        "format": facts.format,
        "cost-nano": str(call.cost_nano),
        "estimated": json.dumps(call.estimated),
        "request-id": (call.request_id or "")[:128],
        "c2pa": "true" if facts.c2pa else "",
        "request": call.request_sha256 or "",
    }
    # An empty value does not survive every server.
    return {f"imagemill-{name}": value for name, value in said.items() if value}


def from_metadata(said: Mapping[str, str], size: int) -> CallRecord | None:
    """The call that an image's metadata tells of; None where they are not ours."""
    try:
        width, _, height = said["imagemill-pixels"].partition("x")
        return CallRecord(
            reservation=said["imagemill-reservation"],
            call=said["imagemill-call"],
            model=said["imagemill-model"],
            images=[
                ImageFacts(
                    sha256=said["imagemill-sha256"],
                    bytes=size,
                    width=int(width),
                    height=int(height),
                    format=said["imagemill-format"],
                    c2pa=said.get("imagemill-c2pa") == "true",
                )
            ],
            cost_nano=int(said["imagemill-cost-nano"]),
            estimated=json.loads(said["imagemill-estimated"]),
            request_id=said.get("imagemill-request-id"),
            request_sha256=said.get("imagemill-request"),
        )
    except (KeyError, ValueError):
        return None


async def patiently(step: Callable[[], Awaitable[T]], room: Room) -> T:
    """Do it however long the store is away; what it says for good (exists, missing) is passed on."""
    wait = 0.2
    while True:
        try:
            done = await step()
        except (ObjectExists, ObjectMissing):
            room.took()
            raise
        except StoreError as error:
            room.refused(error)
            log.warning("store is away, paid images wait", error=str(error), seconds=wait)
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)
        else:
            room.took()
            return done
