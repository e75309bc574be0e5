"""job.plan: every row of a submission becomes an item, or a reason why it can't be one.

1. claim the job for this run;
2. read the rows: inline, or streamed from the manifest and rendered by its templates (`rows`, `drafts`);
3. make items of them: settings, price, names; a bad row becomes an item that has failed already (`items`),
   one that was answered before costs nothing (`reuse`);
4. write them in chunks, and say what there is. Nothing is bought before all of it is written.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import structlog
from temporalio import activity

from activities.bad_rows import BadRows
from activities.heartbeat import heartbeats
from activities.inputs import Inputs
from activities.items import Checker, InputChecker
from activities.reuse import WAITS, Contents, Reuse
from activities.rows import Rows
from activities.sources import Sources
from imagemill.claims import claim
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import InvalidInput
from imagemill.domain.item import PlannedItem
from imagemill.domain.job import Submission
from imagemill.domain.lines import to_lines
from imagemill.domain.market import Market
from imagemill.domain.messages import (
    ESTIMATE_PLAN,
    PLAN,
    Estimated,
    EstimateTask,
    Plan,
    PlannedChunk,
    PlanTask,
)
from imagemill.domain.money import format_usd
from imagemill.domain.places import (
    CHUNK_ITEMS,
    bad_rows_key,
    claim_key,
    estimate_key,
    plan_index_key,
    plan_key,
    request_key,
)
from imagemill.domain.pools import Pools
from imagemill.inputs.reference import Rules
from imagemill.inputs.uploads import Uploads
from imagemill.ports import ObjectStore, Templating
from imagemill.seen import Seen
from imagemill.tenants import Tenants

log = structlog.get_logger()
NO_ITEMS = "the manifest has no rows, or its where template chose none of them"
NO_ITEMS_AGAIN = "the job before has no such items that could be bought"
OTHER_ITEMS = (
    "it gave other items on a second try, since its templates do not always give the same, or prices, pools "
    "or files were changed meanwhile; submit it again"
)
MOST_ITEMS = 1_000_000
"""A job's chunks must fit into one answer to the engine, and into its history."""
WRITES_AT_ONCE = 4
"""Chunks that are being written while the next one is planned."""


class _TooMany(Exception):
    pass


@dataclass(slots=True)
class Tally:
    """What has been planned so far."""

    bad: BadRows
    keeps: bool = True
    """Are the chunks to be written? Not where only the cost is asked for."""
    chunks: list[PlannedChunk] = field(default_factory=list)
    open: list[PlannedItem] = field(default_factory=list)
    writes: set[asyncio.Task[None]] = field(default_factory=set)
    items: int = 0


class Planning:
    """Plans jobs from control."""

    def __init__(
        self,
        control: ObjectStore,
        templating: Templating,
        catalogue: Catalogue,
        rules: Rules | None = None,
        pools: Pools | None = None,
        *,
        tenants: Tenants | None = None,
        delivered: ObjectStore | None = None,
        inputs: Inputs | None = None,
        sources: Sources | None = None,
        thumbnails: bool = False,
        input_waits: Sequence[float] = WAITS,
    ) -> None:
        self._input_waits = input_waits
        self._delivered = delivered
        self._inputs = inputs
        self._sources = sources
        self._thumbnails = thumbnails
        self._tenants = tenants or Tenants()
        self._pools = pools or Pools.single()
        self._rules = rules or Rules()
        self._control = control
        self._templating = templating
        self._catalogue = catalogue

    @activity.defn(name=PLAN)
    async def plan(self, task: PlanTask) -> Plan:
        """Claim the job, then plan it."""
        async with heartbeats():
            if not await self._claim(task):
                return Plan(duplicate=True)
            submission = Submission.model_validate_json(
                await self._control.get(request_key(task.tenant, task.job))
            )
            if submission.refused:
                return Plan(failure="run_refused", failure_detail=submission.refused)
            with BadRows() as bad:
                return (await self._plan(submission, Tally(bad))).plan

    @activity.defn(name=ESTIMATE_PLAN)
    async def estimate(self, task: EstimateTask) -> Estimated:
        """Plan a stored submission without keeping the plan."""
        async with heartbeats():
            stored = await self._control.get(estimate_key(task.tenant, task.job))
            submission = Submission.model_validate_json(stored)
            with BadRows(all_of_them=True) as bad:
                found = await self._plan(submission, Tally(bad, keeps=False))
                if found.plan.invalid_rows:
                    await bad.upload(self._control, bad_rows_key(task.tenant, task.job))
            return found

    async def _claim(self, task: PlanTask) -> bool:
        mine = json.dumps({"run": task.run}).encode()
        return await claim(self._control, claim_key(task.tenant, task.job), mine)

    async def _plan(self, submission: Submission, tally: Tally) -> Estimated:
        try:
            return await self._plan_rows(submission, tally)
        except InvalidInput as error:
            where, what = error.problems[0]
            plan = Plan(failure="manifest_unreadable", failure_detail=f"{where}: {what}")
        except ValueError as error:
            # A second try would meet it again: a row that nobody foresaw, or prices that have changed.
            log.error("a job can't be planned", job=submission.job, error=type(error).__name__)
            detail = f"it can't be planned ({type(error).__name__}); the worker's log has the time"
            plan = Plan(failure="manifest_unreadable", failure_detail=detail)
        except _TooMany:
            detail = f"it makes more than {MOST_ITEMS:,} items, which is the most of one job; split it"
            plan = Plan(failure="too_many_items", failure_detail=detail)
        finally:
            for write in tally.writes:
                write.cancel()
            await asyncio.gather(*tally.writes, return_exceptions=True)
        return Estimated(plan=plan)

    async def _plan_rows(self, submission: Submission, tally: Tally) -> Estimated:
        rules = self._tenants.rules(submission.tenant, self._rules)
        inputs = InputChecker(rules, Uploads(self._control, submission.tenant))
        market = Market(self._catalogue, self._pools, submission.pools, submission.prices_nano)
        rows = Rows(self._control, self._templating, rules, self._sources, pins=tally.keeps)
        with Seen() as ids, Seen() as names:
            async with self._reuse(submission, rules, patient=tally.keeps) as reuse:
                checker = Checker(
                    submission,
                    market,
                    self._templating,
                    inputs=inputs,
                    ids=ids,
                    names=names,
                    reuse=reuse,
                    thumbnails=self._thumbnails,
                )
                try:
                    async with aclosing(rows.drafts(submission)) as batches:
                        async for drafts in batches:
                            for item in await checker.items(drafts):
                                await self._add(submission, tally, item)
                finally:
                    await checker.close()
        if tally.open:
            await self._close_chunk(submission, tally)
        await self._written(tally, 0)
        plan = Plan(
            chunks=tally.chunks,
            items=tally.items,
            invalid_rows=tally.bad.count,
            estimate=checker.bill.estimate,
            manifest=rows.manifest,
        )
        plan.failure, plan.failure_detail = _failure(submission, tally, checker.bill.cheapest)
        if tally.keeps:
            await self._keep_index(submission, tally, plan)
        return Estimated(plan=plan, cheapest_nano=checker.bill.cheapest)

    @asynccontextmanager
    async def _reuse(
        self, submission: Submission, rules: Rules, *, patient: bool
    ) -> AsyncIterator[Reuse | None]:
        """What the job may reuse; None where it asks for nothing, or nobody knows the delivery bucket."""
        if submission.reuse == "none" or self._delivered is None:
            yield None
            return
        waits = self._input_waits if patient else ()  # somebody waits for an estimate
        contents = Contents(self._control, self._inputs, rules, submission.tenant, waits)
        async with aclosing(Reuse(submission, self._control, self._delivered, contents)) as reuse:
            await reuse.load()
            yield reuse

    # --- chunks -------------------------------------------------------------------------------

    async def _add(self, submission: Submission, tally: Tally, item: PlannedItem) -> None:
        item.index = len(tally.open)
        tally.open.append(item)
        tally.items += 1
        tally.bad.add(item)
        if tally.items > MOST_ITEMS:
            raise _TooMany
        if len(tally.open) == CHUNK_ITEMS:
            await self._close_chunk(submission, tally)

    async def _close_chunk(self, submission: Submission, tally: Tally) -> None:
        items, tally.open = tally.open, []
        if tally.keeps:
            await self._written(tally, WRITES_AT_ONCE - 1)
            key = plan_key(submission.tenant, submission.job, len(tally.chunks))
            tally.writes.add(asyncio.create_task(self._keep_chunk(key, items)))
        tally.chunks.append(
            PlannedChunk(
                items=len(items),
                maximum_nano=sum(item.maximum_nano for item in items),
                expected_nano=sum(item.expected_nano for item in items),
                invalid=sum(item.problem is not None for item in items),
                uncertain=self._uncertain(items),
                reused=sum(item.reused is not None for item in items),
            )
        )

    def _uncertain(self, items: list[PlannedItem]) -> list[str]:
        named = {item.request.model for item in items if item.request and not (item.problem or item.reused)}
        known = {model for model in named if model in self._catalogue}
        return sorted(model for model in known if self._catalogue.model(model).uncertain)

    async def _keep_chunk(self, key: str, items: list[PlannedItem]) -> None:
        body = await asyncio.to_thread(to_lines, items)
        # An earlier attempt at this plan may have written it, from the same rows.
        if not await claim(self._control, key, body):
            raise InvalidInput([("manifest", OTHER_ITEMS)])

    @staticmethod
    async def _written(tally: Tally, left: int) -> None:
        """Wait until only so many chunks are still being written. Raises what one of them raised."""
        while len(tally.writes) > left:
            done, tally.writes = await asyncio.wait(tally.writes, return_when=asyncio.FIRST_COMPLETED)
            for write in done:
                write.result()

    async def _keep_index(self, submission: Submission, tally: Tally, plan: Plan) -> None:
        index = plan.model_dump(mode="json") | {"problems": tally.bad.first}
        await self._control.put(plan_index_key(submission.tenant, submission.job), json.dumps(index).encode())


def _failure(submission: Submission, tally: Tally, cheapest: int) -> tuple[str | None, str | None]:
    """Why the job can't be run, if it can't."""
    if tally.items == 0:
        return "no_items", NO_ITEMS_AGAIN if submission.retry else NO_ITEMS
    if tally.bad.count == tally.items:
        return "no_valid_items", f"all {tally.items} rows are bad; invalid_rows lists the first of them"
    if submission.cap_nano < cheapest:
        least = format_usd(cheapest)
        cap = format_usd(submission.cap_nano)
        return "cap_too_low", (
            f"the cheapest item can cost ${least}, the cap is ${cap}; set it to ${least} at least"
        )
    return None, None
