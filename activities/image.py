"""image.generate and image.look: one paid call, and the search for what one has brought.

1. look in the store first, wherever this item may have been bought before;
2. fetch and check the images that the call is given;
3. see that the store takes what is about to be bought, and wait at the gate until the provider's limits
   allow the call;
4. check the own age: who was not heard for half the heartbeat timeout sends nothing;
5. call, store and answer as one shielded section: what was sent is finished, stored and reported,
   through cancellation, pause and shutdown. Between storing and answering, smaller copies of the images
   are made, for a bounded time; what becomes of them is no more than a warning.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog
from temporalio import activity

from activities.bought import hash_of_sent
from activities.copies import Copies
from activities.delivery import Delivery, Place
from activities.heartbeat import Lateness, Pulse, heartbeats
from activities.inputs import MOST_TRIES, Inputs
from activities.plans import Plans
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import (
    AccountTrouble,
    CallError,
    NotSent,
    OutcomeUnknown,
    Refused,
    StoreError,
    StoreRefused,
)
from imagemill.domain.item import CallRecord, ImageFacts, PlannedItem
from imagemill.domain.messages import (
    GENERATE,
    LOOK,
    STORE_REFUSED,
    TENANT_REMOVED,
    Found,
    ImageOutcome,
    ImageTask,
)
from imagemill.domain.pools import DEFAULT
from imagemill.domain.pricing import Usage
from imagemill.domain.request import ImageRequest
from imagemill.pacing.gate import Gate, InTrouble, Ticket
from imagemill.ports import NO_INPUTS, GeneratedImages, ImageProvider, SentInputs
from imagemill.sniff import UNKNOWN_FORMAT, facts_of
from imagemill.tenants import Tenants

log = structlog.get_logger()

TELL_SECONDS = 2.0
"""A paid image that waits for longer than this, because the store refuses, is told of."""

Tell = Callable[[str, float], Awaitable[None]]
"""Takes the id of a workflow, and the seconds until it is to try again."""


class Images:
    """Buys images from one limit group of a pool."""

    def __init__(
        self,
        plans: Plans,
        provider: ImageProvider,
        delivery: Delivery,
        catalogue: Catalogue,
        *,
        gate: Gate,
        pool: str = DEFAULT,
        inputs: Inputs | None = None,
        copies: Copies | None = None,
        tell: Tell | None = None,
        tenants: Tenants | None = None,
    ) -> None:
        """``tell`` lets a job's or a chunk's workflow know that the store refuses what it has bought."""
        self._copies = copies
        self._lateness = Lateness()
        self._tell = tell
        self._tenants = tenants or Tenants()
        self._gate = gate
        self._pool = pool
        self._inputs = inputs
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
        async with heartbeats(task.times.heartbeat_interval, self._lateness) as pulse:
            try:
                place = await place_of(self._plans, task)
                if _look_first(task):
                    found = await self._delivery.find(place)
                    if found:
                        return await _shielded(self._found(place, found))
                if self._tenants.is_removed(task.tenant):
                    return ImageOutcome(kind="account", code=TENANT_REMOVED, wait=task.times.first_probe)
                inputs = await self._fetch(task, place, pulse)
                # Before the age is checked: nothing that takes time may come between that and the call.
                digest = await hash_of_sent(place.item.request, inputs) if place.item.request else ""
                await self._check_room(task, pulse)
                ticket = await self._enter(task, place, pulse)
            except InTrouble as trouble:
                return ImageOutcome(kind="account", code=trouble.code, wait=trouble.wait)
            except asyncio.CancelledError:
                if _asked_to_cancel():
                    raise
                raise NotSent("worker_stopping") from None
            except StoreRefused as refusal:
                log.error("the store refuses; nothing is bought until it is mended", error=str(refusal))
                return ImageOutcome(kind="account", code=STORE_REFUSED, wait=task.times.first_probe)
            except StoreError:
                raise NotSent("store_away") from None
            except Refused as refusal:  # only its inputs can be refused here
                return ImageOutcome(kind="refused", code=refusal.code, where=refusal.where, called=False)
            return await _shielded(self._buy(task, place, inputs, ticket, digest))

    async def _enter(self, task: ImageTask, place: Place, pulse: Pulse) -> Ticket:
        """Wait for the call's turn, but not until it is too old to be made."""
        request = place.item.request
        if request is None:
            raise NotSent("nothing_to_buy")
        ticket = await self._gate.enter(
            request.n,
            self._tokens(place.item, request),
            job=task.job,
            model=request.model,
            patience=_time_left(task, pulse),
            stopping=activity.is_worker_shutdown,
            insists=task.insists,
        )
        try:
            _time_left(task, pulse)
            if trouble := self._delivery.trouble:  # since this call began to wait for its turn
                raise trouble.with_traceback(None)
        except (NotSent, StoreError):
            self._gate.give_back(ticket)
            raise
        return ticket

    async def _check_room(self, task: ImageTask, pulse: Pulse) -> None:
        """Will the store take what is about to be bought? Not to know it in time is a no."""
        try:
            async with asyncio.timeout(_time_left(task, pulse)):
                await self._delivery.check_room()
        except TimeoutError:
            raise NotSent("store_away") from None

    def _tokens(self, item: PlannedItem, request: ImageRequest) -> int:
        """What the call counts for at a limit on tokens; 0 where only the job knows the model's price."""
        if request.model in self._catalogue:
            return self._catalogue.model(request.model).tokens(request)
        if item.image_nano is None:
            raise NotSent("model_not_priced_here")  # another worker's catalogue may have it
        return 0

    async def _fetch(self, task: ImageTask, place: Place, pulse: Pulse) -> SentInputs:
        """The images that the call is given; what was fetched by then is kept for the next try."""
        request = place.item.request
        if request is None or not request.references:
            return NO_INPUTS
        if self._inputs is None:
            raise NotSent("no_inputs_here")  # never without what it names: that would be another image
        attempt = activity.info().attempt
        try:
            async with asyncio.timeout(_time_left(task, pulse)):
                return await self._inputs.fetch(task.tenant, task.job, request, attempt=attempt)
        except TimeoutError:
            if attempt > MOST_TRIES:
                raise Refused("input_unreachable") from None
            raise NotSent("input_slow") from None

    async def _call(
        self, request: ImageRequest, inputs: SentInputs, ticket: Ticket, deadline: float
    ) -> GeneratedImages:
        """One request; the gate hears how it went."""
        try:
            generated = await self._provider.generate(request, deadline=deadline, inputs=inputs)
        except Refused as refusal:
            self._gate.succeeded(ticket, refusal.told)
            raise
        except CallError as error:
            self._gate.failed(ticket, error)
            raise
        self._gate.succeeded(ticket, generated.told)
        return generated

    async def _buy(
        self, task: ImageTask, place: Place, inputs: SentInputs, ticket: Ticket, digest: str
    ) -> ImageOutcome:
        request = place.item.request
        assert request  # noqa: S101 - the gate has let it through
        try:
            generated = await self._call(request, inputs, ticket, task.times.call_deadline)
        except Refused as refusal:
            return ImageOutcome(
                kind="refused",
                code=refusal.code,
                where=refusal.where,
                request_id=refusal.request_id,
                blocked=refusal.blocked,
                write_off=refusal.maybe_billed,
            )
        except AccountTrouble as trouble:
            return ImageOutcome(kind="account", code=trouble.code, request_id=trouble.request_id)
        return await self._keep(task, place, generated, digest)

    async def _found(self, place: Place, call: CallRecord) -> ImageOutcome:
        """What was stored before; whoever stored it may have died before it made the copies."""
        warnings = await self._copies.mend(place, call) if self._copies else []
        return ImageOutcome(kind="stored", call=call, warnings=warnings)

    async def _keep(
        self, task: ImageTask, place: Place, generated: GeneratedImages, digest: str
    ) -> ImageOutcome:
        """Store what was bought, and settle by what the provider counted; what is no image is dropped."""
        seen = [(facts_of(image), image) for image in generated.images]
        images = [(facts, image) for facts, image in seen if facts.format != UNKNOWN_FORMAT]
        if not images:
            raise OutcomeUnknown("unreadable_images", generated.request_id)
        mine = self._record(task, place, generated, [facts for facts, _ in images])
        mine.request_sha256 = digest
        counts = await self._store(task, place, mine, [image for _, image in images])
        lacking = await self._copy(place, mine, counts, [image for _, image in images])
        # What the plan says too, or the record itself, is not told: histories keep what is told of each item.
        plain = counts.request_sha256 == digest and not inputs_of(place)
        return ImageOutcome(
            kind="stored",
            paid_nano=mine.cost_nano,
            request_id=None if counts.call == mine.call else mine.request_id,
            call=counts.model_copy(update={"request_sha256": None}) if plain else counts,
            warnings=_warnings(mine, counts, wanted=len(place.item.names), asked=_format(place)) + lacking,
        )

    async def _store(
        self, task: ImageTask, place: Place, mine: CallRecord, images: list[bytes]
    ) -> CallRecord:
        """Store it, however long that takes.

        All places of this worker may be taken by images that wait, so that no other call could answer why:
        where the store refuses, the job is told by a signal.
        """
        storing = asyncio.create_task(self._delivery.store(place, mine, images))
        tell = self._tell
        while tell and not storing.done():
            await asyncio.wait({storing}, timeout=TELL_SECONDS)
            if not storing.done() and isinstance(self._delivery.trouble, StoreRefused):
                with suppress(Exception):  # whatever becomes of that, what was paid for must be stored
                    await tell(activity.info().workflow_id or task.job, task.times.first_probe)
                tell = None
        return await storing

    async def _copy(
        self, place: Place, mine: CallRecord, counts: CallRecord, images: list[bytes]
    ) -> list[str]:
        """Make the copies of the images that count. It is bounded, and raises nothing: they are paid for."""
        if self._copies is None:
            return []
        if counts.call == mine.call:
            return await self._copies.make(place, counts, images)
        return await self._copies.mend(place, counts)

    def _record(
        self, task: ImageTask, place: Place, generated: GeneratedImages, images: list[ImageFacts]
    ) -> CallRecord:
        request = place.item.request
        assert request  # noqa: S101 - it was just bought
        cost = self._cost(place.item, generated.usage, len(images))
        return CallRecord(
            reservation=task.reservation,
            call=secrets.token_hex(8),
            model=request.model,
            pool=self._pool,
            images=images,
            cost_nano=place.item.maximum_nano if cost is None else cost,
            estimated=cost is None,
            request_id=generated.request_id,
        )

    def _cost(self, item: PlannedItem, usage: Usage | None, images: int) -> int | None:
        """By the job's own price, or by the provider's count; None where it sent none."""
        if item.image_nano is not None:
            return item.image_nano * images
        assert item.request  # noqa: S101 - it was just bought
        model = self._catalogue.model(item.request.model)
        if model.rate.output is None:
            return model.cost(Usage(), images)  # priced by the image
        return model.cost(usage, images) if usage else None


class Search:
    """Finds images that were bought before."""

    def __init__(self, plans: Plans, delivery: Delivery, copies: Copies | None = None) -> None:
        self._plans = plans
        self._delivery = delivery
        self._copies = copies

    @activity.defn(name=LOOK)
    async def look(self, task: ImageTask) -> Found:
        """What the store has of an item."""
        async with heartbeats(task.times.heartbeat_interval):
            place = await place_of(self._plans, task)
            call = await self._delivery.find(place)
            warnings = await self._copies.mend(place, call) if call and self._copies else []
            return Found(call=call, warnings=warnings)


async def place_of(plans: Plans, task: ImageTask) -> Place:
    """The item of a task, and where what it brings belongs."""
    item = await plans.item(task.tenant, task.job, task.chunk, task.index)
    return Place(tenant=task.tenant, job=task.job, chunk=task.chunk, item=item)


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
    return task.look_first or info.attempt > 1 or not (info.workflow_run_id or "").endswith(task.run)


def _time_left(task: ImageTask, pulse: Pulse) -> float:
    """Seconds in which the call may still be made, by when the engine handed it out."""
    left = task.times.heartbeat_timeout / 2 - pulse.age()
    if left < 0:
        raise NotSent("too_old")
    return left


def inputs_of(place: Place) -> list[str]:
    """The images that the item's call is given, by their references."""
    return list(place.item.request.references) if place.item.request else []


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
