"""Which items of a job are bought again by another one: read from its plan, and from what became of them."""

import asyncio
import json
from collections.abc import AsyncGenerator

from imagemill.domain.errors import InvalidInput, ObjectMissing
from imagemill.domain.item import ItemResult, ItemState, PlannedItem, Problem
from imagemill.domain.job import Retry
from imagemill.domain.lines import from_lines
from imagemill.domain.places import plan_index_key, plan_key, results_key
from imagemill.ports import ObjectStore


async def chosen_items(
    control: ObjectStore, tenant: str, retry: Retry
) -> AsyncGenerator[list[PlannedItem], None]:
    """The items that a retry asks for, chunk by chunk of the job before, as that one planned them.

    Items that could not be bought at all, since their rows are bad, are left out: they would fail alike.
    A named item that the job does not have comes at the end, with its problem.
    """
    try:
        index = json.loads(await control.get(plan_index_key(tenant, retry.job)))
    except ObjectMissing:
        raise InvalidInput([("retry", f"job {retry.job} failed before it had any items")]) from None
    named = None if retry.custom_ids is None else frozenset(retry.custom_ids)
    missing = set(named or ())
    for chunk in range(len(index["chunks"])):
        items, states = await asyncio.gather(
            _items(control, tenant, retry.job, chunk), _states(control, tenant, retry.job, chunk)
        )
        missing -= {item.custom_id for item in items}
        sound = [item for item in items if item.request and not item.problem]
        if named is None:
            # What has no result was never started: the job was cancelled before.
            yield [item for item in sound if states.get(item.index, "cancelled") in retry.states]
        else:
            yield [item for item in sound if item.custom_id in named]
    yield [_unknown(name, retry.job) for name in sorted(missing)]


def _unknown(name: str, job: str) -> PlannedItem:
    detail = f"job {job} has no item {name!r}"
    return PlannedItem(index=0, custom_id=name, problem=Problem(code="invalid_row", detail=detail))


async def _items(control: ObjectStore, tenant: str, job: str, chunk: int) -> list[PlannedItem]:
    lines = await control.get(plan_key(tenant, job, chunk))
    return from_lines(PlannedItem, lines.splitlines())


async def _states(control: ObjectStore, tenant: str, job: str, chunk: int) -> dict[int, ItemState]:
    try:
        lines = await control.get(results_key(tenant, job, chunk))
    except ObjectMissing:
        return {}
    return {result.index: result.state for result in from_lines(ItemResult, lines.splitlines())}
