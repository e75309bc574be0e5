"""What was bought, kept so that it is found by its request: written with the results of each chunk."""

import asyncio
import gzip
import hashlib
from datetime import datetime

from imagemill.domain.item import ItemRecord, ItemResult, PlannedItem
from imagemill.domain.places import index_place, reuse_key
from imagemill.domain.request import ImageRequest
from imagemill.domain.reuse import answers_whole, index_lines, request_hash
from imagemill.ports import ObjectStore, SentInputs


async def hash_of_sent(request: ImageRequest, inputs: SentInputs) -> str:
    """The hash of a request with the very bytes that are sent with it."""
    if not request.references:
        return request_hash(request, {})
    return await asyncio.to_thread(_hash_with, request, inputs)


def _hash_with(request: ImageRequest, inputs: SentInputs) -> str:
    sent = [*zip(request.images, inputs.images, strict=True)]
    if request.mask and inputs.mask:
        sent.append((request.mask, inputs.mask))
    if request.markup and inputs.markup:
        sent.append((request.markup, inputs.markup))
    return request_hash(request, {name: hashlib.sha256(image.data).hexdigest() for name, image in sent})


def bought_lines(
    job: str, items: list[PlannedItem], records: list[ItemRecord], results: list[ItemResult]
) -> bytes:
    """The lines of the index for what a chunk bought and got whole; none where it bought nothing."""
    bought = [
        (digest, result, items[record.index].renditions)
        for record, result in zip(records, results, strict=True)
        if (digest := _digest(items[record.index], record)) and _whole(items[record.index], result)
    ]
    return index_lines(job, bought)


def _digest(item: PlannedItem, record: ItemRecord) -> str | None:
    """Of what was sent; only where images were sent with it does the record have to say it."""
    if record.call is None or item.request is None:
        return None
    if record.call.request_sha256 is None and not item.request.references:
        return request_hash(item.request, {})
    return record.call.request_sha256


def _whole(item: PlannedItem, result: ItemResult) -> bool:
    return item.request is not None and answers_whole(item.request, result)


async def keep_lines(
    control: ObjectStore,
    lines: bytes,
    *,
    tenant: str,
    schedule: str | None,
    job: str,
    chunk: int,
    submitted_at: datetime,
) -> None:
    """Write a chunk's lines where later jobs look for them: the tenant's, and its schedule's runs."""
    place = index_place(job, int(submitted_at.timestamp() * 1000))
    packed = await asyncio.to_thread(gzip.compress, lines, 1)
    scopes = {None, schedule}
    puts = (
        control.put(reuse_key(tenant, scope, place, chunk), packed, content_type="application/gzip")
        for scope in scopes
    )
    await asyncio.gather(*puts)
