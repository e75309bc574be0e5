"""The books of a job in control: opening a chunk, writing its results, writing the report."""

import asyncio
import hashlib
import time

from temporalio import activity

from activities.bought import bought_lines, keep_lines
from activities.copies import Copies
from activities.delivery import Delivery, Place
from activities.heartbeat import heartbeats
from activities.plans import Plans
from imagemill.domain.budget import UNKNOWN_MODEL
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.index import IndexEntry
from imagemill.domain.item import TERMINAL, ItemRecord, PlannedItem
from imagemill.domain.job import ChunkFacts, Drift, Report
from imagemill.domain.lines import to_lines
from imagemill.domain.messages import (
    INSPECT_CHUNK,
    OPEN_CHUNK,
    REPORT,
    WRITE_RESULTS,
    ChunkTask,
    InspectedChunk,
    Nothing,
    OpenedChunk,
    ReportTask,
    ResultsTask,
    WrittenResults,
    chunk_workflow_id,
)
from imagemill.domain.places import index_key, report_key, results_key
from imagemill.domain.pools import Pools
from imagemill.domain.results import report_lines, result_of
from imagemill.ports import Engine, ObjectStore

COPIES_SECONDS = 120.0
"""For the copies of all images that an earlier life of a chunk has left without."""
RECORDS_SECONDS = 30.0
"""For a chunk to tell what became of its items, even if it has to be replayed first."""


class Books:
    """Reads plans, writes results and reports."""

    def __init__(
        self,
        control: ObjectStore,
        plans: Plans,
        delivery: Delivery,
        engine: Engine,
        catalogue: Catalogue,
        *,
        pools: Pools,
        copies: Copies | None = None,
    ) -> None:
        self._copies = copies
        self._pools = pools
        self._control = control
        self._plans = plans
        self._delivery = delivery
        self._engine = engine
        self._catalogue = catalogue

    @activity.defn(name=OPEN_CHUNK)
    async def open_chunk(self, task: ChunkTask) -> OpenedChunk:
        """What each item of a chunk costs at most, and what an earlier life of it has bought."""
        async with heartbeats():
            items = await self._plans.items(task.tenant, task.job, task.chunk)
            opened = self._opened(items, task.pools)
            if task.recover:
                opened.records = await self._recovered(task, items)
            opened.records += [_reused(item) for item in items if item.reused]
            return opened

    @activity.defn(name=WRITE_RESULTS)
    async def write_results(self, task: ResultsTask) -> WrittenResults:
        """Write a chunk's results file."""
        async with heartbeats():
            return await self._write_results(task, await self._records(task))

    @activity.defn(name=INSPECT_CHUNK)
    async def inspect_chunk(self, task: ChunkTask) -> InspectedChunk:
        """Ask the engine about a chunk that has been silent."""
        async with heartbeats():
            return await self._engine.inspect_chunk(task.job, task.chunk)

    @activity.defn(name=REPORT)
    async def report(self, task: ReportTask) -> Nothing:
        """Write the receipt of a job and its entry in the index of ended jobs."""
        async with heartbeats():
            if task.records is not None:
                await self._close_single(task)
            await self._write_report(task)
            return Nothing()

    def _opened(self, items: list[PlannedItem], pools: list[str]) -> OpenedChunk:
        models = sorted({_model(item) for item in items})
        places = {model: place for place, model in enumerate(models)}
        return OpenedChunk(
            maxima_nano=[-1 if item.problem else item.maximum_nano for item in items],
            expected_nano=[item.expected_nano for item in items],
            models=models,
            model_of=[places[_model(item)] for item in items],
            queues=[self._pools.queues(model, pools) for model in models],
            uncertain=[model for model in models if self._uncertain(model)],
        )

    def _uncertain(self, model: str) -> bool:
        return model in self._catalogue and self._catalogue.model(model).uncertain is not None

    async def _recovered(self, task: ChunkTask, items: list[PlannedItem]) -> list[ItemRecord]:
        """What an earlier life has bought. All copies that it left unmade share one bounded time."""
        end = time.monotonic() + COPIES_SECONDS
        found = [await self._recover(task, item, max(0.0, end - time.monotonic())) for item in items]
        return [record for record in found if record]

    async def _recover(self, task: ChunkTask, item: PlannedItem, patience: float) -> ItemRecord | None:
        if item.problem or item.reused:
            return None
        place = Place(tenant=task.tenant, job=task.job, chunk=task.chunk, item=item)
        call = await self._delivery.find(place)
        if call is None:
            return None
        lacking = await self._copies.mend(place, call, patience) if self._copies else []
        return ItemRecord(index=item.index, state="succeeded", call=call, warnings=lacking)

    async def _records(self, task: ResultsTask) -> list[ItemRecord]:
        """What became of the items, as their chunk knows it: it has ended them all, and waits for this."""
        if task.records is not None:
            return task.records
        chunk = chunk_workflow_id(task.job, task.chunk)
        records = await self._engine.records(chunk, RECORDS_SECONDS)
        items = await self._plans.items(task.tenant, task.job, task.chunk)
        if len(records) != len(items) or any(record.state not in TERMINAL for record in records):
            raise EngineUnavailable("the chunk does not know yet what became of all of its items")
        return sorted(records, key=lambda record: record.index)

    async def _write_results(self, task: ResultsTask, records: list[ItemRecord]) -> WrittenResults:
        items = await self._plans.items(task.tenant, task.job, task.chunk)
        results = [
            result_of(items[record.index], record, self._delivery.prefix, task.job) for record in records
        ]
        lines = to_lines(results)
        key = results_key(task.tenant, task.job, task.chunk)
        await self._control.put(key, lines, content_type="application/jsonl")
        if task.submitted_at and (bought := bought_lines(task.job, items, records, results)):
            await keep_lines(
                self._control,
                bought,
                tenant=task.tenant,
                schedule=task.schedule,
                job=task.job,
                chunk=task.chunk,
                submitted_at=task.submitted_at,
            )
        return WrittenResults(sha256=hashlib.sha256(lines).hexdigest(), lines=report_lines(results))

    async def _close_single(self, task: ReportTask) -> None:
        """A job of one item has no chunk of its own to write its results."""
        records = task.records or []
        written = await self._write_results(
            ResultsTask(
                job=task.job,
                tenant=task.tenant,
                chunk=0,
                submitted_at=task.summary.submitted_at,
                schedule=task.schedule,
            ),
            records,
        )
        ended = task.summary.ended
        task.lines = written.lines
        task.chunks = [
            ChunkFacts(
                chunk=0,
                items=len(records),
                results_sha256=written.sha256,
                counts=ended.counts,
                settled_nano=ended.settled_nano,
                written_off_nano=ended.written_off_nano,
            )
        ]

    async def _write_report(self, task: ReportTask) -> None:
        report = Report(
            job=task.job,
            tenant=task.tenant,
            summary=task.summary,
            lines=task.lines,
            drift={
                model: Drift(calls=trust.drifts, amount_nano=trust.drift_nano, permille=trust.permille)
                for model, trust in sorted(task.trust.items())
                if trust.drifts
            },
            catalogue=self._catalogue.version,
            chunks=task.chunks,
        )
        entry = IndexEntry.of(task.job, task.summary).model_dump_json(exclude_none=True)
        submitted = int(task.summary.submitted_at.timestamp() * 1000)
        await asyncio.gather(
            self._control.put(report_key(task.tenant, task.job), report.model_dump_json().encode()),
            self._control.put(index_key(task.tenant, task.job, submitted), entry.encode()),
        )


def _reused(item: PlannedItem) -> ItemRecord:
    """It has ended before anything is bought: no attempt, no cost."""
    return ItemRecord(index=item.index, state="succeeded", reused=True)


def _model(item: PlannedItem) -> str:
    return item.request.model if item.request else UNKNOWN_MODEL
