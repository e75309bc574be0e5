"""image.generate and image.look: one paid call, and the search for what one has brought.

1. look in the store first, wherever this item may have been bought before;
2. check the own age: who was not heard for half the heartbeat timeout sends nothing;
3. call, store and answer as one shielded section: what was sent is finished, stored and reported,
   through cancellation, pause and shutdown.
"""

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any

from temporalio import activity

from activities.delivery import Delivery, Place
from activities.heartbeat import Pulse, heartbeats
from activities.plans import Plans
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import AccountTrouble, NotSent, Refused, StoreError
from imagemill.domain.item import CallRecord, PlannedItem
from imagemill.domain.messages import GENERATE, LOOK, Found, ImageOutcome, ImageTask
from imagemill.domain.pricing import Usage
from imagemill.ports import GeneratedImages, ImageProvider
from imagemill.sniff import facts_of


class Images:
    """Buys and finds images."""

    def __init__(
        self, plans: Plans, provider: ImageProvider, delivery: Delivery, catalogue: Catalogue
    ) -> None:
        self._plans = plans
        self._provider = provider
        self._delivery = delivery
        self._catalogue = catalogue

    @activity.defn(name=GENERATE)
    async def generate(self, task: ImageTask) -> ImageOutcome:
        """Buy one item under one reservation.

        Raises:
            NotSent, NotBilled: the engine tries again under the same reservation.
            OutcomeUnknown: the reservation is to be written off.
        """
        async with heartbeats(task.times.heartbeat_interval) as pulse:
            try:
                place = await self._place(task)
                if _look_first(task):
                    found = await self._delivery.find(place)
                    if found:
                        return ImageOutcome(kind="stored", call=found)
                _check_age(task, pulse)
            except asyncio.CancelledError:
                if _asked_to_cancel():
                    raise
                raise NotSent("worker_stopping") from None
            except StoreError:
                raise NotSent("store_away") from None
            return await _shielded(self._buy(task, place))

    @activity.defn(name=LOOK)
    async def look(self, task: ImageTask) -> Found:
        """What the store has of an item."""
        async with heartbeats(task.times.heartbeat_interval):
            return Found(call=await self._delivery.find(await self._place(task)))

    async def _place(self, task: ImageTask) -> Place:
        item = await self._plans.item(task.tenant, task.job, task.chunk, task.index)
        return Place(tenant=task.tenant, job=task.job, chunk=task.chunk, item=item)

    async def _buy(self, task: ImageTask, place: Place) -> ImageOutcome:
        request = place.item.request
        if request is None:
            raise NotSent("nothing_to_buy")
        if request.model not in self._catalogue and place.item.image_nano is None:
            raise NotSent("model_not_priced_here")  # another worker's catalogue may have it
        try:
            generated = await self._provider.generate(request, deadline=task.times.call_deadline)
        except Refused as refusal:
            return ImageOutcome(
                kind="refused",
                code=refusal.code,
                request_id=refusal.request_id,
                blocked=refusal.blocked,
                write_off=refusal.maybe_billed,
            )
        except AccountTrouble as trouble:
            return ImageOutcome(kind="account", code=trouble.code, request_id=trouble.request_id)
        return await self._keep(task, place, generated)

    async def _keep(self, task: ImageTask, place: Place, generated: GeneratedImages) -> ImageOutcome:
        """Store what was bought, and settle by what the provider counted."""
        mine = self._record(task, place, generated)
        counts = await self._delivery.store(place, mine, generated.images)
        return ImageOutcome(
            kind="stored",
            paid_nano=mine.cost_nano,
            request_id=mine.request_id,
            call=counts,
            warnings=_warnings(mine, counts, wanted=len(place.item.names), asked=_format(place)),
        )

    def _record(self, task: ImageTask, place: Place, generated: GeneratedImages) -> CallRecord:
        request = place.item.request
        assert request  # noqa: S101 - it was just bought
        cost = self._cost(place.item, generated)
        return CallRecord(
            reservation=task.reservation,
            call=secrets.token_hex(8),
            model=request.model,
            images=[facts_of(image) for image in generated.images],
            cost_nano=place.item.maximum_nano if cost is None else cost,
            estimated=cost is None,
            request_id=generated.request_id,
        )

    def _cost(self, item: PlannedItem, generated: GeneratedImages) -> int | None:
        """By the job's own price, or by the provider's count; None where it sent none."""
        images = len(generated.images)
        if item.image_nano is not None:
            return item.image_nano * images
        assert item.request  # noqa: S101 - it was just bought
        model = self._catalogue.model(item.request.model)
        if model.rate.output is None:
            return model.cost(Usage(), images)  # priced by the image
        return model.cost(generated.usage, images) if generated.usage else None


async def _shielded(section: Coroutine[Any, Any, ImageOutcome]) -> ImageOutcome:
    """Finish the section whatever cancels this activity meanwhile."""
    running = asyncio.create_task(section)
    while True:
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if running.cancelled():
                raise


def _look_first(task: ImageTask) -> bool:
    """Wherever this is not provably the first attempt at this item, it may have been bought already."""
    info = activity.info()
    return task.look_first or info.attempt > 1 or info.workflow_run_id != task.run


def _check_age(task: ImageTask, pulse: Pulse) -> None:
    age = pulse.age()
    if age > task.times.heartbeat_timeout / 2:
        raise NotSent("too_old")


def _asked_to_cancel() -> bool:
    details = activity.cancellation_details()
    return bool(details and details.cancel_requested)


def _format(place: Place) -> str:
    return place.item.request.output_format if place.item.request else ""


def _warnings(mine: CallRecord, counts: CallRecord, *, wanted: int, asked: str) -> list[str]:
    found = []
    if counts.call != mine.call:
        found.append("paid_twice")
    if len(counts.images) != wanted:
        found.append(f"{len(counts.images)}_of_{wanted}_images")
    if any(image.format != asked for image in counts.images):
        found.append("other_format_than_asked")
    return found
