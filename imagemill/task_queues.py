"""What the engine tells of a task queue: how much waits in it, and who asks it for work."""

from datetime import UTC, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client

from imagemill.ports import Poller, QueueKind, QueueState

PATIENCE = timedelta(seconds=3)

_TYPES: dict[QueueKind, TaskQueueType.ValueType] = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


async def describe(client: Client, name: str, kind: QueueKind) -> QueueState:
    """How a queue stands; one that nobody has used is empty. Raises RPCError."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=name),
        task_queue_type=_TYPES[kind],
        report_stats=True,
    )
    answer = await client.workflow_service.describe_task_queue(request, retry=True, timeout=PATIENCE)
    return _state(name, kind, answer)


def _state(name: str, kind: QueueKind, answer: DescribeTaskQueueResponse) -> QueueState:
    stats = answer.stats
    return QueueState(
        name=name,
        kind=kind,
        backlog=stats.approximate_backlog_count,
        oldest=stats.approximate_backlog_age.ToTimedelta(),
        added_per_second=stats.tasks_add_rate,
        taken_per_second=stats.tasks_dispatch_rate,
        pollers=[
            Poller(each.identity, each.last_access_time.ToDatetime(tzinfo=UTC)) for each in answer.pollers
        ],
    )
