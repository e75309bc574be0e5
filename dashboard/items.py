"""An item: what was asked for, what came of it, and what each attempt cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.responses import RedirectResponse, Response

from api.context import Context
from api.items import Items, item_answer
from api.lookup import read_path
from api.models import AttemptAnswer, ItemAnswer
from api.pages import NUMBER, cursor
from api.problems import NOT_FOUND, Problem
from api.status import summary_of
from dashboard.gallery import STEPS, copy_paths, image_paths, item_path, query_of
from dashboard.pages import page
from dashboard.viewer import Looking, Parts, seals_of
from imagemill.domain.errors import explain
from imagemill.domain.item import ItemResult, PlannedItem
from imagemill.domain.job import JobSummary
from imagemill.domain.lines import from_lines
from imagemill.domain.places import CHUNK_ITEMS
from imagemill.inputs.reference import is_file

OUTCOMES = {
    "settled": "Bought",
    "recovered": "Found in the bucket: bought before, and not paid again",
    "released": "Not bought",
    "written_off": "May have been billed and brought nothing; counted as spent",
}

LABELS = {"n": "Images"}
"""Settings whose own name says little."""

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Asked:
    """Which item is looked for; ``at`` is where it should be."""

    job: str
    custom_id: str
    variant: str | None
    at: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """An item of a job, with its neighbours in the plan."""

    position: int
    planned: PlannedItem
    result: ItemResult
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Input:
    """An image that the item was given."""

    name: str
    reference: str
    path: str | None
    """Where it is shown; None: it is not a file of the tenant's."""


@router.get("/jobs/{job}/items/{custom_id:path}")
async def item_page(
    *, request: Request, job: str, viewer: Looking, parts: Parts, variant: str | None = None,
    at: str | None = None,
) -> Response:  # fmt: skip
    """One item, found by its id, and quicker by its place in the plan (``at``)."""
    custom_id, _ = read_path(request, "/jobs/")
    summary = await summary_of(parts, viewer.tenant, job)
    items = Items(parts, viewer.tenant, job, summary)
    place = await _find(items, summary, Asked(job, custom_id, variant, at))
    planned = place.planned
    if not custom_id and planned.custom_id not in STEPS:
        return RedirectResponse(f"{item_path(job, planned.custom_id)}?{query_of(at, planned.variant)}", 303)
    seals = await seals_of(request)
    answer = item_answer(parts, place.result)
    return await page(
        request,
        "item.html",
        job=job,
        job_name=summary.name,
        item=answer,
        planned=planned,
        place=place,
        total=summary.items,
        images=_with(answer, image_paths(seals, viewer.tenant, job, place.result)),
        copies=copy_paths(seals, viewer.tenant, job, place.result),
        inputs=_inputs(job, place),
        attempts=[(each, _outcome(each)) for each in answer.attempts],
        settings=_settings(place.planned),
        stale=items.stale,
    )


async def input_of(parts: Context, tenant: str, asked: Asked, number: int) -> str:
    """The id of an uploaded file that an item was given, by its number among what it was given.

    Raises:
        Problem: it was given nothing of that number, or not a file of the tenant's.
    """
    summary = await summary_of(parts, tenant, asked.job)
    place = await _find(Items(parts, tenant, asked.job, summary), summary, asked)
    references = place.planned.request.references if place.planned.request else ()
    if not 1 <= number <= len(references) or not is_file(references[number - 1]):
        raise Problem(NOT_FOUND, f"item {asked.custom_id!r} was given no uploaded file number {number}")
    return references[number - 1]


# --- finding it ----------------------------------------------------------------------------------


async def _find(items: Items, summary: JobSummary, asked: Asked) -> Place:
    """An item by its id and variant; where there are several variants and none is named, the first.

    Without an id it is the one at the place.

    Raises:
        Problem: there is none.
    """
    if not asked.custom_id and asked.at:
        return await _at(items, summary, asked)
    mark = b'"custom_id":' + to_json(asked.custom_id)
    for chunk in _order(summary, asked.at):
        for index, line in enumerate((await items.plan(chunk)).splitlines()):
            if mark not in line:
                continue
            planned = PlannedItem.model_validate_json(line)
            if planned.custom_id == asked.custom_id and asked.variant in (None, planned.variant):
                return await _place(items, summary.items or 0, chunk * CHUNK_ITEMS + index, planned)
    of = f" in variant {asked.variant!r}" if asked.variant else ""
    raise Problem(NOT_FOUND, f"job {asked.job} has no item {asked.custom_id!r}{of}")


def _order(summary: JobSummary, at: str | None) -> Sequence[int]:
    """The chunks, that of the place first."""
    chunks = list(range(summary.chunks))
    position = _position(at)
    first = [] if position is None else [position // CHUNK_ITEMS]
    return [chunk for chunk in first if chunk in chunks] + [chunk for chunk in chunks if chunk not in first]


def _position(at: str | None) -> int | None:
    chunk, _, index = (at or "").partition(".")
    if not (NUMBER.fullmatch(chunk) and NUMBER.fullmatch(index)):
        return None
    return int(chunk) * CHUNK_ITEMS + int(index)


async def _place(items: Items, total: int, position: int, planned: PlannedItem) -> Place:
    """What became of a planned item, and where its neighbours are."""
    chunk, index = divmod(position, CHUNK_ITEMS)
    return Place(
        position=position,
        planned=planned,
        result=await _result(items, chunk, index, planned),
        before=cursor(position - 1) if position else None,
        after=cursor(position + 1) if position + 1 < total else None,
    )


async def _result(items: Items, chunk: int, index: int, planned: PlannedItem) -> ItemResult:
    results = await items.results(chunk)
    if results is None:
        return (await items.told(chunk, [planned]))[0]
    lines = results.splitlines()
    [likely] = from_lines(ItemResult, lines[index : index + 1])
    if likely.index == planned.index:
        return likely
    return next(each for each in from_lines(ItemResult, lines) if each.index == planned.index)


async def _at(items: Items, summary: JobSummary, asked: Asked) -> Place:
    position = _position(asked.at)
    if position is not None and position < (summary.items or 0):
        lines = (await items.plan(position // CHUNK_ITEMS)).splitlines()
        planned = PlannedItem.model_validate_json(lines[position % CHUNK_ITEMS])
        return await _place(items, summary.items or 0, position, planned)
    raise Problem(NOT_FOUND, f"job {asked.job} has no item at {asked.at!r}")


# --- saying it -----------------------------------------------------------------------------------


def _with(answer: ItemAnswer, paths: Sequence[str]) -> list[tuple[str, object]]:
    return list(zip(paths, answer.images, strict=True))


def _inputs(job: str, place: Place) -> list[Input]:
    request = place.planned.request
    path, query = (
        item_path(job, place.planned.custom_id),
        query_of(cursor(place.position), place.planned.variant),
    )
    return [
        Input(
            _named(name),
            reference.partition("?")[0],
            f"{path}/inputs/{number}?{query}" if is_file(reference) else None,
        )
        for number, (name, reference) in enumerate(request.named if request else (), 1)
    ]


def _named(place: str) -> str:
    """``images/0`` is the first input image to a person."""
    kind, _, number = place.partition("/")
    return f"Input image {int(number) + 1}" if number else kind.capitalize()


def _outcome(attempt: AttemptAnswer) -> str:
    said = OUTCOMES[attempt.outcome]
    return f"{said}. {explain(attempt.code)}" if attempt.code else said


def _settings(planned: PlannedItem) -> list[tuple[str, object]]:
    """What was asked of the provider, but for the prompt and the images."""
    if planned.request is None:
        return []
    left_out = {"prompt", "images", "mask", "markup", "safety_identifier"}
    said = planned.request.model_dump(exclude=left_out, exclude_none=True)
    return [(LABELS.get(name, name.replace("_", " ").capitalize()), value) for name, value in said.items()]
