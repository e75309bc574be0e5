"""Schedules on the real engine: real runs, a store in memory, and jobs that end when they are told to."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

with workflow.unsafe.imports_passed_through():
    from activities.runs import Runs
    from imagemill.domain.catalogue import Catalogue
    from imagemill.domain.ids import new_id
    from imagemill.domain.job import JobSummary, Submission
    from imagemill.domain.messages import CANCEL, JOB, JobStart, Times
    from imagemill.domain.places import runs_prefix, schedule_key
    from imagemill.domain.pools import Pools
    from imagemill.domain.request import ImageSettings
    from imagemill.domain.run_messages import RunEnd
    from imagemill.domain.schedules import RunRecord, Schedule, Spec, job_of
    from imagemill.domain.tenant import Caps
    from imagemill.ports import ScheduleChange
    from imagemill.schedules_engine import TemporalSchedules
    from imagemill.starting import Starter
    from imagemill.tenants import Tenants
    from tests.fakes.store import MemoryStore
    from tests.workflows.mill import QUICK, until
    from workflows.run import RunWorkflow

FINISH = "finish"
LONG = "long"
"""The name of jobs that wait until they are finished or cancelled."""


@workflow.defn(name=JOB)
class StandIn:
    """A job that spends nothing."""

    def __init__(self) -> None:
        self._state: Any = None

    @workflow.run
    async def run(self, start: JobStart) -> JobSummary:
        if start.summary.name == LONG:
            await workflow.wait_condition(lambda: self._state is not None)
        return start.summary.model_copy(update={"state": self._state or "completed"})

    @workflow.signal(name=CANCEL)
    def cancel(self) -> None:
        self._state = "cancelled"

    @workflow.signal(name=FINISH)
    def finish(self) -> None:
        self._state = "completed"


@dataclass
class Timetable:
    """One schedule, and what became of it."""

    client: Client
    schedules: TemporalSchedules
    control: MemoryStore
    schedule: Schedule
    times: Times = field(default_factory=lambda: QUICK)

    @property
    def id(self) -> str:
        return self.schedule.id

    async def go(self, **change: Any) -> None:
        """Start it."""
        await self.schedules.change(self.schedule, self.times, ScheduleChange(paused=False, **change))

    def records(self) -> list[RunRecord]:
        """The runs that are listed, the oldest time first."""
        prefix = runs_prefix("acme", self.id)
        keys = [key for key in self.control.written if key.startswith(prefix)]
        return [RunRecord.model_validate_json(self.control.data(key)) for key in reversed(keys)]

    def at(self) -> list[datetime]:
        """The times that runs are listed for."""
        return [record.at for record in self.records()]

    async def ends(self, at: datetime) -> list[RunEnd]:
        """How the workflows of a time have ended, the first of them first; they are waited for."""
        name = f"run/{self.id}-{at:%Y-%m-%dT%H:%M:%SZ}"
        runs = [each async for each in self.client.list_workflows(f"WorkflowId = '{name}'")]
        runs.sort(key=lambda each: each.start_time)
        handles = [
            self.client.get_workflow_handle(name, run_id=each.run_id, result_type=RunEnd) for each in runs
        ]
        return [await asyncio.wait_for(handle.result(), 20) for handle in handles]

    async def ended(self, at: datetime, count: int = 1) -> list[RunEnd]:
        """The same, once there are so many."""

        async def there() -> bool:
            return len(await self.ends(at)) >= count

        await until(there)
        return await self.ends(at)

    async def finish(self, at: datetime) -> None:
        """End the job of a time, as soon as it has begun."""
        await until(lambda: self.is_told(at))

    async def has_begun(self, at: datetime) -> bool:
        """Has the engine the job of a time?"""
        return await self.job_runs(at) > 0

    async def is_told(self, at: datetime) -> bool:
        """Tell the job of a time to end. False: it has not begun."""
        try:
            await self.client.get_workflow_handle(job_of(self.id, at)).signal(FINISH)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def runs(self, count: int, timeout: float = 15) -> None:
        """Wait until so many are listed."""
        await until(lambda: len(self.records()) >= count, timeout)

    async def job_runs(self, at: datetime) -> int:
        """How many workflows ever had the id of this time's job."""
        job = job_of(self.id, at)
        return len([each async for each in self.client.list_workflows(f"WorkflowId = '{job}'")])


@asynccontextmanager
async def timetable(
    client: Client, spec: Spec, *, name: str | None = None, control: MemoryStore | None = None, **said: Any
) -> AsyncIterator[Timetable]:
    """A schedule that is kept and paused, with workers for what it starts."""
    control, queue = control or MemoryStore(), f"runs-{uuid.uuid4().hex[:8]}"
    schedule = schedule_of(spec, name=name, **said)
    await control.put(schedule_key("acme", schedule.id), schedule.model_dump_json().encode())
    schedules = TemporalSchedules(client, queue)
    async with worker(client, queue, control):
        await schedules.create(schedule, QUICK)
        try:
            yield Timetable(client, schedules, control, schedule)
        finally:
            await schedules.delete(schedule.id)


def schedule_of(spec: Spec, *, name: str | None = None, known_as: str | None = None, **said: Any) -> Schedule:
    now = datetime.now(UTC)
    template = Submission(
        job="",
        tenant="acme",
        submitted_at=now,
        name=name,
        defaults=ImageSettings(model="gpt-image-2.5-flare", size="1024x1024", quality="low"),
        items=[],
        cap_nano=10**9,
    )
    return Schedule(
        id=known_as or new_id("sched"),
        tenant="acme",
        name="s",
        spec=spec,
        job={},
        template=template,
        created_at=now,
        **said,
    )


def worker(client: Client, queue: str, control: MemoryStore) -> Worker:
    """Runs what schedules start."""
    starter = Starter(
        catalogue=Catalogue.load(),
        pools=Pools.single(),
        tenants=Tenants(),
        times=QUICK,
        window=100,
        chunks_at_once=4,
    )
    passed = SandboxRestrictions.default.with_passthrough_modules("imagemill", "pydantic", "workflows")
    return Worker(
        client,
        task_queue=queue,
        workflows=[RunWorkflow, StandIn],
        activities=[Runs(control, starter, Caps(day_nano=10**9)).prepare],
        workflow_runner=SandboxedWorkflowRunner(restrictions=passed),
        graceful_shutdown_timeout=timedelta(seconds=5),
    )
