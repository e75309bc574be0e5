"""Pages of items, and which chunks have none of the state that is asked for."""

import asyncio
import re
from dataclasses import dataclass

from api.context import Context
from api.items import SIGNED_AT_ONCE, Items, item_answer
from api.models import ItemPage
from api.problems import INVALID, Problem
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.item import TERMINAL, ItemResult, ItemState
from imagemill.domain.job import JobSummary, Report
from imagemill.domain.job_states import ENDED
from imagemill.domain.places import CHUNK_ITEMS, report_key

LOOKED_THROUGH = 20
"""Chunks that one page of a running job's items of one state looks through; then it ends, short."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of items with their positions in the plan; ``last`` is where the next page goes on."""

    data: list[tuple[int, ItemResult]]
    has_more: bool
    last: str | None
    stale: bool


async def page_of(
    parts: Context,
    tenant: str,
    job: str,
    summary: JobSummary,
    *,
    after: str | None,
    limit: int,
    state: ItemState | None,
) -> ItemPage:
    """A page of items in the order of the manifest.

    Raises:
        Problem: ``after`` is not the end of a page.
    """
    found = await find_items(parts, tenant, job, summary, after=after, limit=limit, state=state)
    data = []
    for number, (_, result) in enumerate(found.data, 1):
        data.append(item_answer(parts, result))
        if number % SIGNED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return ItemPage(data=data, has_more=found.has_more, last=found.last, stale=found.stale)


async def find_items(
    parts: Context,
    tenant: str,
    job: str,
    summary: JobSummary,
    *,
    after: str | None,
    limit: int,
    state: ItemState | None,
) -> Found:
    """The same before it is said to anybody.

    Raises:
        Problem: ``after`` is not the end of a page.
    """
    items = Items(parts, tenant, job, summary)
    start = _position(after) + 1
    skip = await _without(parts, tenant, job, summary, state) if state else set()
    left = [chunk for chunk in range(start // CHUNK_ITEMS, summary.chunks) if chunk not in skip]
    horizon = left[LOOKED_THROUGH] * CHUNK_ITEMS if state and len(left) > LOOKED_THROUGH else None
    data: list[tuple[int, ItemResult]] = []
    last = None
    async for position, result in items.going_on_from(start, skip, state):
        if horizon is not None and position >= horizon:
            return Found(data, True, cursor(horizon - 1), items.stale)
        if state is not None and result.state != state:
            continue
        if len(data) == limit:
            return Found(data, True, last, items.stale)
        data.append((position, result))
        last = cursor(position)
    return Found(data, False, last, items.stale)


async def _without(parts: Context, tenant: str, job: str, summary: JobSummary, state: ItemState) -> set[int]:
    """The chunks of a job that has ended which have no item of this state, by its report."""
    if summary.state not in ENDED or state not in TERMINAL:
        return set()
    try:
        report = Report.model_validate_json(await parts.control.get(report_key(tenant, job)))
    except ObjectMissing:
        return set()
    return {facts.chunk for facts in report.chunks if not getattr(facts.counts, state)}


NUMBER = re.compile(r"[0-9]{1,9}")


def cursor(position: int) -> str:
    """How a position is named."""
    return f"{position // CHUNK_ITEMS}.{position % CHUNK_ITEMS}"


def _position(after: str | None) -> int:
    if after is None:
        return -1
    chunk, _, index = after.partition(".")
    if not (NUMBER.fullmatch(chunk) and NUMBER.fullmatch(index)):
        raise Problem(INVALID, f"after: {after!r} is not the 'last' of a page of items")
    return int(chunk) * CHUNK_ITEMS + int(index)
