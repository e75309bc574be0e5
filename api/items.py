"""The items of a job, ended or not, in the order of its plan: read chunk by chunk from the store.

A chunk that has ended has a results file; of one that runs, its workflow knows what has ended so far.
Where no worker is there to ask it, the items are answered as the store has them, and the answer says so.
"""

import asyncio
from collections.abc import AsyncIterator, Container

from api.context import Context
from api.models import AttemptAnswer, ImageAnswer, ItemAnswer
from imagemill.domain.budget import total
from imagemill.domain.errors import EngineUnavailable, ObjectMissing
from imagemill.domain.item import TERMINAL, Attempt, ItemRecord, ItemResult, ItemState, PlannedItem
from imagemill.domain.job import JobSummary
from imagemill.domain.job_states import ENDED
from imagemill.domain.messages import chunk_workflow_id
from imagemill.domain.money import format_usd
from imagemill.domain.places import CHUNK_ITEMS, plan_key, results_key
from imagemill.domain.results import result_of, spent_by

URL_SECONDS = 3600
SIGNED_AT_ONCE = 20
"""Signing the addresses of images takes its time: after so many items somebody else may have a turn."""


class Items:
    """The items of one job, for one request.

    Attributes:
        stale: no worker answered, so that items of running chunks are as the store has them. Once one
            did not, the others are not asked: each silence costs seconds.
    """

    def __init__(self, parts: Context, tenant: str, job: str, summary: JobSummary) -> None:
        self.stale = False
        self._parts = parts
        self._tenant = tenant
        self._job = job
        self._summary = summary

    async def going_on_from(
        self, start: int = 0, skip: Container[int] = (), state: ItemState | None = None
    ) -> AsyncIterator[tuple[int, ItemResult]]:
        """Every item from a position in the plan on, with its position, but for those of some chunks.

        ``state``: those of one state, and perhaps others; what can't be in it is not read.
        """
        for chunk in range(start // CHUNK_ITEMS, self._summary.chunks):
            if chunk in skip:
                continue
            first = max(0, start - chunk * CHUNK_ITEMS)
            async for result in self._from(chunk, first, state):
                position = chunk * CHUNK_ITEMS + result.index
                if position % SIGNED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                yield position, result

    async def ended(self) -> AsyncIterator[ItemAnswer]:
        """The items that have reached their end state."""
        async for _, result in self.going_on_from():
            if result.state in TERMINAL:
                yield item_answer(self._parts, result)

    async def _from(self, chunk: int, first: int, state: ItemState | None) -> AsyncIterator[ItemResult]:
        """The items of one chunk from an index on; files have a line an item, in order."""
        lines = await self.results(chunk)
        if lines is not None:
            mark = b'"state":"%s"' % state.encode() if state else b""
            for line in lines.splitlines()[first:]:
                if mark in line:
                    yield ItemResult.model_validate_json(line)
        elif state in (None, "pending") or not self._waits(chunk):
            known = await self._known(chunk)
            for index, line in enumerate((await self.plan(chunk)).splitlines()[first:], first):
                record = known.get(index)
                if state is None or record is None or record.state == state:
                    yield self._result(PlannedItem.model_validate_json(line), record)

    def _waits(self, chunk: int) -> bool:
        """Has nothing been done about any item of a chunk that has no results?"""
        summary = self._summary
        return summary.state not in ENDED and summary.items != 1 and chunk not in summary.open_chunks

    async def results(self, chunk: int) -> bytes | None:
        """The results file of a chunk, a line an item; None: it has not ended."""
        try:
            return await self._parts.control.get(results_key(self._tenant, self._job, chunk))
        except ObjectMissing:
            return None

    async def plan(self, chunk: int) -> bytes:
        """The plan of a chunk, a line an item."""
        return await self._parts.control.get(plan_key(self._tenant, self._job, chunk))

    async def told(self, chunk: int, items: list[PlannedItem]) -> list[ItemResult]:
        """What has become of items of a chunk that has no results."""
        known = await self._known(chunk)
        return [self._result(item, known.get(item.index)) for item in items]

    def _result(self, item: PlannedItem, record: ItemRecord | None) -> ItemResult:
        record = record or _untouched(item, self._summary)
        return result_of(item, record, self._parts.prefix, self._job)

    async def ask_around(self) -> None:
        """Find out whether a worker answers, before an answer begins that can't be taken back."""
        if self._summary.open_chunks:
            await self._known(min(self._summary.open_chunks))
        elif self._summary.items == 1:
            await self._known(0)

    async def _known(self, chunk: int) -> dict[int, ItemRecord]:
        """What the workflow that runs these items knows of them, or ran them when somebody ended the job."""
        summary = self._summary
        if self.stale or (summary.state in ENDED and summary.failure != "terminated"):
            return {}
        alone = summary.items == 1
        if not alone and chunk not in summary.open_chunks:
            return {}
        workflow = self._job if alone else chunk_workflow_id(self._job, chunk)
        try:
            records = await self._parts.engine.records(workflow)
        except EngineUnavailable:
            self.stale = True
            return {}
        return {record.index: record for record in records}


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
        reused_from=result.reused_from,
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


def _untouched(item: PlannedItem, summary: JobSummary) -> ItemRecord:
    """An item that nothing has been done about; in a job that has ended, nothing ever will be.

    A bad row has its end from the beginning.
    """
    if item.problem:
        return ItemRecord(index=item.index, state="failed")
    return ItemRecord(index=item.index, state="cancelled" if summary.state in ENDED else "pending")
