"""The items of a job, ended or not, in the order of its plan: read chunk by chunk from the store.

A chunk that has ended has a results file; of one that runs, its workflow knows what has ended so far.
"""

from collections.abc import AsyncIterator

from api.context import Context
from api.models import AttemptAnswer, ImageAnswer, ItemAnswer
from imagemill.domain.budget import total
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.item import TERMINAL, Attempt, ItemRecord, ItemResult, PlannedItem
from imagemill.domain.job import JobSummary
from imagemill.domain.job_states import ENDED
from imagemill.domain.messages import chunk_workflow_id
from imagemill.domain.money import format_usd
from imagemill.domain.places import CHUNK_ITEMS, plan_key, results_key
from imagemill.domain.results import result_of, spent_by

URL_SECONDS = 3600


async def items_from(
    parts: Context, tenant: str, job: str, summary: JobSummary, start: int = 0
) -> AsyncIterator[tuple[int, ItemResult]]:
    """Every item from a position in the plan on, with its position."""
    for chunk in range(start // CHUNK_ITEMS, summary.chunks):
        for result in await _chunk(parts, tenant, job, chunk, summary):
            position = chunk * CHUNK_ITEMS + result.index
            if position >= start:
                yield position, result


async def ended_items(
    parts: Context, tenant: str, job: str, summary: JobSummary
) -> AsyncIterator[ItemAnswer]:
    """The items that have reached their end state."""
    async for _, result in items_from(parts, tenant, job, summary):
        if result.state in TERMINAL:
            yield item_answer(parts, result)


def item_answer(parts: Context, result: ItemResult) -> ItemAnswer:
    """An item as callers see it."""
    return ItemAnswer(
        custom_id=result.custom_id,
        variant=result.variant,
        line=result.line,
        state=result.state,
        model=result.model,
        images=[
            ImageAnswer(**image.model_dump(), url=parts.delivery.presign_get(image.key, URL_SECONDS))
            for image in result.images
        ],
        cost_usd=format_usd(result.cost_nano),
        uncertain_usd=format_usd(total(spent_by(result)).written_off),
        estimated=result.estimated,
        error=result.problem,
        warnings=result.warnings,
        attempts=[_attempt(attempt) for attempt in result.attempts],
    )


def _attempt(attempt: Attempt) -> AttemptAnswer:
    drift = max(0, attempt.cost_nano - attempt.reserved_nano) if attempt.reserved_nano else 0
    return AttemptAnswer(
        reservation=attempt.reservation,
        outcome=attempt.outcome,
        reserved_usd=format_usd(attempt.reserved_nano),
        cost_usd=format_usd(attempt.cost_nano),
        drift_usd=format_usd(drift),
        code=attempt.code,
        request_id=attempt.request_id,
    )


async def _chunk(parts: Context, tenant: str, job: str, chunk: int, summary: JobSummary) -> list[ItemResult]:
    try:
        lines = await parts.control.get(results_key(tenant, job, chunk))
        return [ItemResult.model_validate_json(line) for line in lines.splitlines()]
    except ObjectMissing:
        pass
    plan = await parts.control.get(plan_key(tenant, job, chunk))
    items = [PlannedItem.model_validate_json(line) for line in plan.splitlines()]
    return await _running(parts, job, chunk, items, summary)


async def _running(
    parts: Context, job: str, chunk: int, items: list[PlannedItem], summary: JobSummary
) -> list[ItemResult]:
    known = await _known(parts, job, chunk, summary)
    return [
        result_of(item, known.get(item.index) or _untouched(item, summary), parts.prefix, job)
        for item in items
    ]


async def _known(parts: Context, job: str, chunk: int, summary: JobSummary) -> dict[int, ItemRecord]:
    """What the workflow that runs these items knows of them, or ran them when somebody ended the job."""
    if summary.state in ENDED and summary.failure != "terminated":
        return {}
    alone = summary.items == 1
    if not alone and chunk not in summary.open_chunks:
        return {}
    records = await parts.engine.records(job if alone else chunk_workflow_id(job, chunk))
    return {record.index: record for record in records}


def _untouched(item: PlannedItem, summary: JobSummary) -> ItemRecord:
    """An item that nothing has been done about; in a job that has ended, nothing ever will be."""
    if summary.state in ENDED:
        return ItemRecord(index=item.index, state="failed" if item.problem else "cancelled")
    return ItemRecord(index=item.index)
