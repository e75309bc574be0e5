"""What an operator does to a running job in the engine's own interface, and what must survive it."""

import asyncio
from dataclasses import dataclass

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from imagemill.domain.messages import INSPECT_CHUNK, ChunkTask, InspectedChunk
from imagemill.engine import TemporalEngine
from tests.fakes.activities import FakeActivities, bought, when
from tests.workflows.mill import QUICK, Mill, until, working


@dataclass
class Inspecting(FakeActivities):
    """Asks the real engine about silent chunks."""

    client: Client | None = None

    @activity.defn(name=INSPECT_CHUNK)
    async def inspect(self, task: ChunkTask) -> InspectedChunk:
        assert self.client
        return await TemporalEngine(self.client).inspect_chunk(task.job, task.chunk)


async def reset(mill: Mill) -> None:
    """Let the job begin again after its first task."""
    events = (await mill.handle.fetch_history()).events
    first = next(e for e in events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    await mill.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=mill.job),
            reason="a test",
            request_id="reset",
            workflow_task_finish_event_id=first.event_id,
        )
    )


async def test_a_job_that_is_reset_buys_nothing_again(engine: Client) -> None:
    gate = asyncio.Event()
    fakes = Inspecting(
        [[10, 10], [10]], {(0, 0): [bought(4)], (1, 0): [when(gate, bought(5))]}, client=engine
    )
    mill = Mill(engine, fakes, QUICK.model_copy(update={"sweep": 1}), cap=35)
    async with working(mill):
        await mill.start()
        await until(lambda: 0 in fakes.results and bool(fakes.calls_of(1, 0)))
        await reset(mill)
        gate.set()
        summary = await asyncio.wait_for(mill.handle.result(), 20)

    assert len(fakes.calls) == 3, "each item was bought once"
    assert summary.state == "completed"
    assert summary.ended.settled_nano == fakes.ledger.spent
