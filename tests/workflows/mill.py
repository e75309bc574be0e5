"""Runs the real workflows on fake activities, on whatever engine a test gives."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from imagemill.domain.job import JobSummary, OnExhausted, Progress
from imagemill.domain.messages import (
    ACCOUNT,
    CANCEL,
    JOB,
    PAUSE,
    PROGRESS_MEMO,
    RESUME,
    SET_BUDGET,
    SET_CAPS,
    SET_PRIORITY,
    SUMMARY_MEMO,
    USAGE,
    AccountStart,
    BudgetSignal,
    ChunkReport,
    JobStart,
    PrioritySignal,
    Times,
    Workplace,
    account_workflow_id,
    chunk_workflow_id,
)
from imagemill.domain.pools import quarantine_of
from imagemill.domain.tenant import Caps, TenantAccount
from imagemill.domain.webhooks import EventType
from imagemill.engine import STATE_ATTRIBUTE, TENANT_ATTRIBUTE
from tests.fakes.activities import FakeActivities
from workflows.account import AccountWorkflow
from workflows.chunk import ChunkWorkflow
from workflows.job import JobWorkflow

QUICK = Times(call_deadline=1, heartbeat_timeout=5, start_to_close=30)
"""Times for the engine that can't skip them."""
LOSING = QUICK.model_copy(update={"heartbeat_timeout": 1, "call_deadline": 0})
"""Times where a worker that keeps silent is missed soon, and its image looked for but once."""


def runner() -> SandboxedWorkflowRunner:
    """As in worker.py."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            "imagemill", "pydantic", "workflows"
        )
    )


async def until(condition: Callable[[], bool | Awaitable[bool]], timeout: float = 15) -> None:
    """Wait until it holds."""
    end = time.monotonic() + timeout
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert time.monotonic() < end, "it never came to hold"
        await asyncio.sleep(0.01)


@dataclass
class Mill:
    """One job, its queues and its activities."""

    client: Client
    fakes: FakeActivities
    times: Times = field(default_factory=lambda: QUICK)
    cap: int = 1_000_000
    place: dict[str, Any] = field(default_factory=dict)
    job: str = field(default_factory=lambda: f"job_{uuid.uuid4().hex[:12]}")
    on_exhausted: OnExhausted = "skip"
    events: Sequence[EventType] = ()
    """What its webhook asks for."""
    started: WorkflowHandle[Any, JobSummary] | None = None

    @property
    def workplace(self) -> Workplace:
        images = f"{self.job}.images"
        return Workplace(job=self.job, tenant="acme", image_queue=images, times=self.times, **self.place)

    @property
    def handle(self) -> WorkflowHandle[Any, JobSummary]:
        return self.client.get_workflow_handle(self.job, result_type=JobSummary)

    def chunk(self, chunk: int) -> WorkflowHandle[Any, ChunkReport]:
        return self.client.get_workflow_handle(chunk_workflow_id(self.job, chunk), result_type=ChunkReport)

    async def pause_at_once(self) -> None:
        """Start the job paused: it is told before it has run at all."""
        await self.start(start_signal=PAUSE)

    async def start(self, start_signal: str | None = None) -> None:
        summary = JobSummary(
            tenant="acme",
            submitted_at=datetime(2026, 1, 2, tzinfo=UTC),
            cap_nano=self.cap,
            on_exhausted=self.on_exhausted,
        )
        self.started = await self.client.start_workflow(
            JOB,
            JobStart(place=self.workplace, summary=summary, webhook_events=list(self.events)),
            id=self.job,
            task_queue=self.job,
            start_signal=start_signal,
            result_type=JobSummary,
            memo={SUMMARY_MEMO: summary},
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(TENANT_ATTRIBUTE, "acme"),
                    SearchAttributePair(STATE_ATTRIBUTE, "queued"),
                ]
            ),
        )

    async def ended(self) -> JobSummary:
        """The job's last word; a workflow that is stuck is an error soon.

        Only by the handle of the start does an engine know that it may skip time.
        """
        assert self.started
        return await asyncio.wait_for(self.started.result(), 20)

    async def run(self) -> JobSummary:
        await self.start()
        return await self.ended()

    async def cancel(self) -> None:
        await self.handle.signal(CANCEL)

    async def resume(self) -> None:
        await self.handle.signal(RESUME)

    async def pause(self) -> None:
        await self.handle.signal(PAUSE)

    async def set_priority(self, priority: int) -> None:
        await self.handle.signal(SET_PRIORITY, PrioritySignal(priority=priority))

    async def set_budget(self, cap: int | None = None, on_exhausted: OnExhausted | None = None) -> None:
        await self.handle.signal(SET_BUDGET, BudgetSignal(cap_nano=cap, on_exhausted=on_exhausted))

    async def summary(self) -> JobSummary:
        """What the job's memo says."""
        described = await self.handle.describe()
        return await described.memo_value(SUMMARY_MEMO, type_hint=JobSummary)

    async def progress(self, chunk: int) -> Progress | None:
        """What a chunk's memo says."""
        described = await self.chunk(chunk).describe()
        return await described.memo_value(PROGRESS_MEMO, default=None, type_hint=Progress)

    async def becomes(self, state: str) -> None:
        async def it_is() -> bool:
            return (await self.summary()).state == state

        await until(it_is)

    async def calls(self, count: int) -> None:
        await until(lambda: len(self.fakes.calls) >= count)


@dataclass
class Tenant:
    """An account, whose workflow runs with the workers of a mill: a tenant's, or a schedule's."""

    client: Client
    queue: str
    caps: Caps
    times: Times = field(default_factory=lambda: QUICK)
    updates_a_run: int = 1000
    schedule: str | None = None
    id: str = ""

    def __post_init__(self) -> None:
        whose = "acme" if self.schedule else uuid.uuid4().hex[:12]
        self.id = self.id or account_workflow_id(whose, self.schedule)

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(self.id)

    async def start(self) -> WorkflowHandle[Any, Any]:
        start = AccountStart(
            tenant="acme",
            schedule=self.schedule,
            caps=self.caps,
            times=self.times,
            updates_a_run=self.updates_a_run,
        )
        return await self.client.start_workflow(ACCOUNT, start, id=self.id, task_queue=self.queue)

    async def set_caps(self, caps: Caps) -> None:
        await self.handle.signal(SET_CAPS, caps)

    async def usage(self) -> TenantAccount:
        """Its state, once it is restored."""
        end = time.monotonic() + 15
        while True:
            try:
                found: TenantAccount = await self.handle.query(USAGE, result_type=TenantAccount)
            except WorkflowQueryFailedError:
                assert time.monotonic() < end, "it was never restored"
                await asyncio.sleep(0.01)
            else:
                return found

    async def end(self) -> None:
        await self.handle.terminate()


@asynccontextmanager
async def working(mill: Mill, *, at_once: int = 100) -> AsyncIterator[Mill]:
    """The workers of a mill: workflows and bookkeeping, images (so many calls at once), quarantine."""
    pools = [
        mill.workplace.image_queue,
        *dict.fromkeys(name for names in mill.fakes.queues for name in names),
    ]
    workers = [
        Worker(
            mill.client,
            task_queue=mill.job,
            workflows=[JobWorkflow, ChunkWorkflow, AccountWorkflow],
            activities=mill.fakes.bookkeeping,
            workflow_runner=runner(),
        ),
        *(
            Worker(
                mill.client,
                task_queue=queue,
                activities=[mill.fakes.generate],
                disable_eager_activity_execution=True,
                max_concurrent_activities=at_once,
                graceful_shutdown_timeout=timedelta(0),
            )
            for pool in (pools if at_once else [])
            for queue in (pool, quarantine_of(pool))
        ),
    ]
    async with AsyncExitStack() as running:
        for worker in workers:
            await running.enter_async_context(worker)
        yield mill
