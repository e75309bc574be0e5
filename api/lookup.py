"""GET /v1/jobs/{id}/items/{custom_id}, and its images: one item, by the caller's own name for it.

An id may have slashes, percent signs and any script in it. As one segment of a path it is
percent-encoded (``shoes%2Fred``); the path is read as it was sent, before a server decoded it.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic_core import to_json
from starlette.convertors import IntegerConvertor, register_url_convertor

from api.context import Context, context, tenant
from api.items import URL_SECONDS, Items, item_answer
from api.models import ItemAnswer
from api.openapi_headers import headers
from api.problems import JOB_LOST, NAMED_VARIANTS, NOT_FOUND, Problem, problems
from api.status import summary_of
from imagemill.domain.item import DeliveredImage, ItemResult, PlannedItem
from imagemill.domain.job import JobSummary
from imagemill.domain.lines import from_lines
from imagemill.domain.places import thumbnail_key
from imagemill.domain.renditions import THUMBNAIL
from imagemill.presence import is_there

CHUNKS_AT_ONCE = 8

NUMBER = re.compile(r"[0-9]{1,3}")
"""What can be the number of an image; whatever else stands there is part of an id."""


class Number(IntegerConvertor):
    """An integer that no caller can make long."""

    regex = NUMBER.pattern


register_url_convertor("number", Number())
router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
Parts = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]
CustomId = Annotated[str, Path(description="Percent-encoded, its slashes too.")]
VariantName = Annotated[
    str | None, Query(description="Which variant of the item; needed where the job has variants.")
]


@router.get(
    "/{job}/items/{custom_id:path}/images/{n:number}",
    summary="One image of an item",
    status_code=302,
    response_class=RedirectResponse,
    responses={302: headers("Location"), **problems(NAMED_VARIANTS, JOB_LOST)},
)
async def get_image(
    *, request: Request, job: str, custom_id: CustomId, n: int, parts: Parts, owner: Tenant,
    variant: VariantName = None,
    rendition: Annotated[
        str | None, Query(description="A smaller copy instead: ``thumbnail``, or one that the job asked for.")
    ] = None,
) -> Response:  # fmt: skip
    """Leads to the image, at an address that works for an hour; ``n`` counts from 1.

    Where an image has no thumbnail, that leads to the image itself.
    """
    name, number = read_path(request)
    item = await item_of(parts, owner, job, name, variant)
    if number is None:
        return Response(item_answer(parts, item).model_dump_json(), media_type="application/json")
    if not 1 <= number <= len(item.images):
        raise Problem(NOT_FOUND, f"item {name!r} has {len(item.images)} image(s); there is no {number}")
    key = await _key_of(parts, item.images[number - 1], rendition)
    address = parts.delivery.presign_get(key, URL_SECONDS)
    return RedirectResponse(address, 302, headers={"Cache-Control": "no-store"})


@router.get(
    "/{job}/items/{custom_id:path}",
    summary="One item",
    response_model=ItemAnswer,
    responses=problems(NAMED_VARIANTS, JOB_LOST),
)
async def get_item(
    *, request: Request, job: str, custom_id: CustomId, parts: Parts, owner: Tenant,
    variant: VariantName = None,
) -> ItemAnswer:  # fmt: skip
    """What became of it, with its attempts and what they cost."""
    name, _ = read_path(request)
    return item_answer(parts, await item_of(parts, owner, job, name, variant))


async def _key_of(parts: Context, image: DeliveredImage, rendition: str | None) -> str:
    """Where a copy of the image lies.

    Raises:
        Problem: it has no copy of that name.
    """
    if rendition is None:
        return image.key
    if rendition == THUMBNAIL:
        return await _thumbnail_or_original(parts, image.key)
    if rendition not in image.renditions:
        names = ", ".join(dict.fromkeys([THUMBNAIL, *image.renditions]))
        raise Problem(NOT_FOUND, f"the image has no rendition {rendition!r}; it has: {names}")
    return image.renditions[rendition].key


async def _thumbnail_or_original(parts: Context, key: str) -> str:
    """It may have been made later than its item's result says, or never."""
    thumbnail = thumbnail_key(key)
    return thumbnail if await is_there(parts.delivery, thumbnail) else key


def read_path(request: Request, below: str = "/v1/jobs/", of: str = "images") -> tuple[str, int | None]:
    """The custom id in a path, and the number of the image where it names one of its ``images``.

    An id whose slashes were sent as they are is understood too, unless it ends like the path of an image.
    """
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    text = raw.decode("utf-8", "replace").partition("?")[0]
    segments = text.partition(below)[2].split("/")[2:]
    if len(segments) > 2 and segments[-2] == of and NUMBER.fullmatch(segments[-1]):
        return unquote("/".join(segments[:-2])), int(segments[-1])
    return unquote("/".join(segments)), None


async def item_of(parts: Context, owner: str, job: str, custom_id: str, variant: str | None) -> ItemResult:
    """One item of a job.

    Raises:
        Problem: the tenant has no such job, it has no such item, or the item has variants to choose from.
    """
    summary = await summary_of(parts, owner, job)
    async for found in lines_of(Items(parts, owner, job, summary), summary, custom_id):
        if found.variant == variant:
            return found
        if variant is None:
            raise Problem(NAMED_VARIANTS, f"say which variant of {custom_id!r}: ?variant={found.variant}")
    of = "" if variant is None else f" in variant {variant!r}"
    raise Problem(NOT_FOUND, f"job {job} has no item {custom_id!r}{of}")


async def lines_of(items: Items, summary: JobSummary, custom_id: str) -> AsyncIterator[ItemResult]:
    """The items of that id, in the order of the plan: one, one a variant, or none.

    Chunk after chunk is read and searched as bytes, a few at once, until the caller has enough; only
    lines that have the id in them are parsed. A job of a million items has 2,000 chunks.
    """
    mark = b'"custom_id":' + to_json(custom_id)
    for start in range(0, summary.chunks, CHUNKS_AT_ONCE):
        some = range(start, min(start + CHUNKS_AT_ONCE, summary.chunks))
        for found in await asyncio.gather(*(_search(items, chunk, mark) for chunk in some)):
            for result in found:
                if result.custom_id == custom_id:
                    yield result


async def _search(items: Items, chunk: int, mark: bytes) -> list[ItemResult]:
    results = await items.results(chunk)
    if results is not None:
        return from_lines(ItemResult, _lines(results, mark))
    plan = await items.plan(chunk)
    planned = from_lines(PlannedItem, _lines(plan, mark))
    return await items.told(chunk, planned) if planned else []


def _lines(data: bytes, mark: bytes) -> list[bytes]:
    """The lines that have a mark in them."""
    return [line for line in data.split(b"\n") if mark in line] if mark in data else []
