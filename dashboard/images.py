"""Images and thumbnails from the dashboard's own origin, so that its pages load nothing from elsewhere."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api.context import Context
from api.lookup import item_of, read_path
from api.problems import NOT_FOUND, Problem
from api.status import check_id
from dashboard.items import Asked, input_of, item_page
from dashboard.viewer import Parts, Picturing, seals_of
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.item import ItemResult
from imagemill.domain.lines import from_lines
from imagemill.domain.places import file_key, results_key, thumbnail_key
from imagemill.ports import ObjectStore
from imagemill.sniff import CONTENT_TYPES, UNKNOWN

CSP = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""Whatever lies in the bucket, nothing of it runs."""

FOR_GOOD = "private, max-age=31536000, immutable"
FOR_NOW = "private, max-age=60"
ENOUGH_TO_TELL = 12
LOOKED_THROUGH = 64 * 1024
"""Bytes of results in which a job's first picture is looked for."""

router = APIRouter()


@router.get("/jobs/{job}/items/{custom_id:path}/images/{n:number}")
async def image(
    *,
    request: Request,
    job: str,
    viewer: Picturing,
    parts: Parts,
    variant: str | None = None,
    at: str | None = None,
    of: Annotated[str | None, Query(max_length=4000)] = None,
    size: Literal["thumbnail"] | None = None,
) -> Response:
    """One image, streamed from the store; the page of an item whose id ends like the path of one."""
    check_id(job)
    if read_path(request, "/jobs/")[1] is None:
        parts.rates.count(viewer.caller, request.scope)
        return await item_page(request=request, job=job, viewer=viewer, parts=parts, variant=variant, at=at)
    known = (await seals_of(request)).image_of(viewer.tenant, job, of) if of else None
    key, form = known or await _looked_up(request, parts, viewer.tenant, job, variant)
    if size is None:
        return await stream(parts.delivery, key, form)
    try:
        return await stream(parts.delivery, thumbnail_key(key), "webp")
    except Problem:
        # Made a moment later than the image, or never; what stands in for it is not kept for good.
        return await stream(parts.delivery, key, form, keep=FOR_NOW)


@router.get("/jobs/{job}/cover")
async def cover(*, job: str, viewer: Picturing, parts: Parts) -> Response:
    """The first picture of a job that has ended, small: what it is known by in a list. 204: it has none."""
    check_id(job)
    key = await _first_image(parts.control, viewer.tenant, job)
    with suppress(Problem):
        if key:
            return await stream(parts.delivery, thumbnail_key(key), "webp")
    return Response(status_code=204, headers={"Cache-Control": FOR_NOW})


async def _first_image(control: ObjectStore, tenant: str, job: str) -> str | None:
    """Of the first items of the first chunk's results; nothing is read of the rest."""
    try:
        start = await control.start_of(results_key(tenant, job, 0), LOOKED_THROUGH)
    except ObjectMissing:
        return None
    whole = start.split(b"\n")[:-1]
    return next((each.images[0].key for each in from_lines(ItemResult, whole) if each.images), None)


@router.get("/jobs/{job}/items/{custom_id:path}/inputs/{n:number}")
async def input_image(
    *, request: Request, job: str, n: int, viewer: Picturing, parts: Parts, at: str | None = None,
    variant: str | None = None,
) -> Response:  # fmt: skip
    """An image that an item was given, where it is a file that the tenant uploaded; or a page, as above."""
    custom_id, number = read_path(request, "/jobs/", "inputs")
    if number is None:
        parts.rates.count(viewer.caller, request.scope)
        return await item_page(request=request, job=job, viewer=viewer, parts=parts, variant=variant, at=at)
    reference = await input_of(parts, viewer.tenant, Asked(job, custom_id, variant, at), n)
    key = file_key(viewer.tenant, reference)
    try:
        form = _format(await parts.control.start_of(key, ENOUGH_TO_TELL))
    except ObjectMissing:
        raise Problem(NOT_FOUND, f"file {reference} is not kept any more") from None
    if form is None:
        raise Problem(NOT_FOUND, f"file {reference} is no image")
    return await stream(parts.control, key, form)


def _format(start: bytes) -> str | None:
    """What input images may be, by their first bytes; None: something else."""
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "webp" if start[:4] == b"RIFF" and start[8:] == b"WEBP" else None


async def _looked_up(
    request: Request, parts: Context, tenant: str, job: str, variant: str | None
) -> tuple[str, str]:
    custom_id, number = read_path(request, "/jobs/")
    item = await item_of(parts, tenant, job, custom_id, variant)
    if number is None or not 1 <= number <= len(item.images):
        raise Problem(NOT_FOUND, f"item {custom_id!r} has {len(item.images)} image(s); there is no {number}")
    found = item.images[number - 1]
    return found.key, found.format


async def stream(store: ObjectStore, key: str, form: str, keep: str = FOR_GOOD) -> Response:
    """An image as it comes out of the store.

    Raises:
        Problem: it is not there any more.
    """
    pieces = store.pieces(key)
    try:
        first = await anext(aiter(pieces), b"")
    except ObjectMissing:
        raise Problem(NOT_FOUND, "the image is not in the bucket any more") from None

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    headers = {"Cache-Control": keep, "Content-Security-Policy": CSP}
    return StreamingResponse(whole(), media_type=CONTENT_TYPES.get(form, UNKNOWN), headers=headers)
