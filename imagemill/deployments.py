"""The versions of the workers' program, as the engine knows them: which is current, and who waits for which.

Only the main queue has versions. A running job stays with the version that began it, so it waits while no
worker of that version polls.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeWorkerDeploymentRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from imagemill.domain.messages import MAIN_QUEUE

ALIVE = timedelta(minutes=2)
"""Who has not asked for work for so long is gone; a poll lasts about a minute."""


@dataclass(frozen=True, slots=True)
class Versions:
    """One deployment.

    Attributes:
        current: the build that begins new jobs; None: there is none.
        polled: the builds that a worker asks for work for.
        bound: by build, how many workflows run that stay with it.
    """

    current: str | None
    polled: frozenset[str]
    bound: dict[str, int]

    @property
    def problems(self) -> list[str]:
        """What keeps jobs waiting."""
        found = []
        if self.current is None:
            found.append("no version is current, so workers with a build are given no new job")
        elif self.current not in self.polled:
            found.append(f"version {self.current} is current, but no worker of it polls")
        return found + [
            f"{count} workflows wait for version {build}, of which no worker polls"
            for build, count in self.bound.items()
            if count and build not in self.polled
        ]

    def __str__(self) -> str:
        bound = ", ".join(f"{build}: {count}" for build, count in self.bound.items() if count)
        return f"{self.current} is current; workflows that stay with their version: {bound or 'none'}"


async def versions(client: Client, name: str) -> Versions | None:
    """How a deployment stands; None: no worker with a build has ever polled. Raises RPCError."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=name)
    try:
        answer = await client.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None
    told = answer.worker_deployment_info
    builds = [each.deployment_version.build_id for each in told.version_summaries]
    return Versions(
        current=told.routing_config.current_deployment_version.build_id or None,
        polled=await _polled(client, name),
        bound={build: await _bound(client, name, build) for build in builds},
    )


async def _bound(client: Client, name: str, build: str) -> int:
    found = await client.count_workflows(
        f"TemporalWorkerDeploymentVersion = '{name}:{build}' "
        "AND TemporalWorkflowVersioningBehavior = 'Pinned' AND ExecutionStatus = 'Running'"
    )
    return found.count


async def _polled(client: Client, name: str) -> frozenset[str]:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=MAIN_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    answer = await client.workflow_service.describe_task_queue(request)
    now = datetime.now(UTC)
    return frozenset(
        poller.deployment_options.build_id
        for poller in answer.pollers
        if poller.deployment_options.deployment_name == name
        and now - poller.last_access_time.ToDatetime(tzinfo=UTC) < ALIVE
    )
