"""Pages of items, and which chunks have none of the state that is asked for."""

import re

from api.context import Context
from api.items import Items, item_answer
from api.models import ItemAnswer, ItemPage
from api.problems import INVALID, Problem
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.item import TERMINAL, ItemState
from imagemill.domain.job import JobSummary, Report
from imagemill.domain.job_states import ENDED
from imagemill.domain.places import CHUNK_ITEMS, report_key

LOOKED_THROUGH = 20
"""Chunks that one page of a running job's items of one state looks through; then it ends, short."""


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
    items = Items(parts, tenant, job, summary)
    start = _position(after) + 1
    skip = await _without(parts, tenant, job, summary, state) if state else set()
    left = [chunk for chunk in range(start // CHUNK_ITEMS, summary.chunks) if chunk not in skip]
    horizon = left[LOOKED_THROUGH] * CHUNK_ITEMS if state and len(left) > LOOKED_THROUGH else None
    data: list[ItemAnswer] = []
    last = None
    async for position, result in items.going_on_from(start, skip):
        if horizon is not None and position >= horizon:
            return ItemPage(data=data, has_more=True, last=_cursor(horizon - 1), stale=items.stale)
        if state is not None and result.state != state:
            continue
        if len(data) == limit:
            return ItemPage(data=data, has_more=True, last=last, stale=items.stale)
        data.append(item_answer(parts, result))
        last = _cursor(position)
    return ItemPage(data=data, has_more=False, last=last, stale=items.stale)


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


def _cursor(position: int) -> str:
    return f"{position // CHUNK_ITEMS}.{position % CHUNK_ITEMS}"


def _position(after: str | None) -> int:
    if after is None:
        return -1
    chunk, _, index = after.partition(".")
    if not (NUMBER.fullmatch(chunk) and NUMBER.fullmatch(index)):
        raise Problem(INVALID, f"after: {after!r} is not the 'last' of a page of items")
    return int(chunk) * CHUNK_ITEMS + int(index)
