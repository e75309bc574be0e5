"""Deploys of a new version while jobs run, as an operator does them.

``Deploy`` brings a version up and makes it current, and sees the one before off: it waits until nothing is
bound to it any more, moves what has not ended in time to the new one, and stops its worker. The workers of a
stack get their builds by ``part_env``, which is read whenever a part starts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol, Self, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    SetWorkerDeploymentCurrentVersionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client
from temporalio.common import PinnedVersioningOverride, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode

from sandbox.stack import LocalStack
from sandbox.stack.errors import PartNotRunning

BUILD = "IMAGEMILL_TEMPORAL_BUILD"
PATIENCE = 60.0
LOOK = 0.2
CALL = timedelta(seconds=5)

PartEnv = MutableMapping[str, dict[str, str]]
How = Literal["drain", "kill"]
Found = TypeVar("Found")


@dataclass
class Deployment:
    """The versions of a stack's workers, as the engine knows them."""

    client: Client
    name: str = "imagemill"

    @classmethod
    async def of(cls, stack: LocalStack) -> Self:
        """By the engine of a stack; it may be away for a while."""

        async def connect() -> Client:
            return await Client.connect(str(stack.addresses.temporal))

        return cls(await _eventually(connect))

    async def make_current(self, build: str) -> None:
        """New jobs are begun by this version from now on; it is known once a worker of it has polled."""
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace=self.client.namespace, deployment_name=self.name, build_id=build
        )

        async def make() -> bool:
            await self.client.workflow_service.set_worker_deployment_current_version(request, timeout=CALL)
            return True

        await _eventually(make)

    async def bound(self, build: str) -> list[str]:
        """The ids of what runs and stays with this version: it can't go before them."""
        query = (
            f"TemporalWorkerDeploymentVersion = '{self.name}:{build}' "
            "AND TemporalWorkflowVersioningBehavior = 'Pinned' AND ExecutionStatus = 'Running'"
        )

        async def look() -> list[str]:
            return [found.id async for found in self.client.list_workflows(query)]

        return await _eventually(look)

    async def is_drained(self, build: str, seconds: float) -> bool:
        """Whether nothing is bound to a version any more, within so many seconds."""
        end = time.monotonic() + seconds
        while await self.bound(build):
            if time.monotonic() > end:
                return False
            await asyncio.sleep(LOOK)
        return True

    async def move(self, workflow: str, build: str) -> None:
        """Bind a workflow to another version; one that has ended needs none."""
        override = PinnedVersioningOverride(WorkerDeploymentVersion(self.name, build))
        request = UpdateWorkflowExecutionOptionsRequest(
            namespace=self.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow),
            workflow_execution_options=WorkflowExecutionOptions(versioning_override=override._to_proto()),
            update_mask=FieldMask(paths=["versioning_override"]),
        )

        async def move() -> bool:
            try:
                await self.client.workflow_service.update_workflow_execution_options(request, timeout=CALL)
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
            return True

        await _eventually(move)

    async def move_all(self, build: str, to: str) -> list[str]:
        """Bind to another version all that is bound to this one; parents may still start children of it.

        Raises:
            TimeoutError: there is no end of it.
        """
        moved: list[str] = []
        end = time.monotonic() + PATIENCE
        while left := await self.bound(build):
            if time.monotonic() > end:
                raise TimeoutError(f"still bound to {build}: {left}")
            for workflow in left:
                await self.move(workflow, to)
            moved += [each for each in left if each not in moved]
            await asyncio.sleep(LOOK)
        return moved


class Hands(Protocol):
    """Who starts and ends the processes: a stack itself, or what keeps its parts alive."""

    async def stop(self, name: str) -> None:
        """Ask a part to end, and see it gone."""

    async def kill(self, name: str) -> None:
        """Kill a part; it may be gone already."""

    async def start(self, name: str) -> None:
        """Let a part that was stopped or killed run again."""


class StackHands:
    """Those of a stack that nobody keeps."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack

    async def stop(self, name: str) -> None:
        await self._stack.stop_part(name)

    async def kill(self, name: str) -> None:
        with suppress(PartNotRunning):
            await self._stack.kill(name)

    async def start(self, name: str) -> None:
        await self._stack.start_part(name)


@dataclass
class Deploy:
    """One deploy on a running stack: ``worker`` gets the new build, and ``old`` after it.

    Attributes:
        env: the ``part_env`` that the stack was made with.
        how: what becomes of the old worker: ``drain`` leaves it its jobs until the end of the deploy,
            ``kill`` ends it as soon as the new version is current.
        seconds: how long the end of the deploy waits for the old version's jobs before it moves them.
        moved: what had not ended by then.
    """

    stack: LocalStack
    hands: Hands
    env: PartEnv
    build: str
    worker: str = "worker-2"
    old: str = "worker-1"
    how: How = "drain"
    seconds: float = 10.0
    moved: list[str] = field(default_factory=list)
    _down: list[str] = field(default_factory=list)
    _over: bool = False

    async def begin(self) -> None:
        """The new version comes up and becomes current."""
        await self._end(self.worker, self.hands.stop)
        await self._start(self.worker)
        await (await Deployment.of(self.stack)).make_current(self.build)
        if self.how == "kill":
            await self._end(self.old, self.hands.kill)

    async def end(self) -> None:
        """The old version goes, and its worker comes back as one of the new version; may be called again."""
        if self._over:
            return
        self._over = True
        if self.worker in self._down:
            await self._start(self.worker)
        deployment, before = await Deployment.of(self.stack), self._build_of(self.old)
        await deployment.make_current(self.build)
        if before and self.how == "drain":
            await deployment.is_drained(before, self.seconds)
        if before:
            self.moved += await deployment.move_all(before, self.build)
        if self.old not in self._down:
            await self._end(self.old, self.hands.stop)
        await self._start(self.old)
        if before:  # what was on its way when the current version changed
            self.moved += await deployment.move_all(before, self.build)

    async def _end(self, worker: str, end: Callable[[str], Awaitable[None]]) -> None:
        self._down.append(worker)
        await end(worker)

    async def _start(self, worker: str) -> None:
        self.env.setdefault(worker, {})[BUILD] = self.build
        self._down.remove(worker)
        await self.hands.start(worker)

    def _build_of(self, worker: str) -> str | None:
        """What it runs as; None: as no version, or as this one."""
        build = self.env.get(worker, {}).get(BUILD) or self.stack.environment.get(BUILD)
        return None if build == self.build else build


async def first(stack: LocalStack, build: str) -> None:
    """Make the version current with which a stack has begun: until then, its workers are given no job."""
    await (await Deployment.of(stack)).make_current(build)


async def _eventually(ask: Callable[[], Awaitable[Found]]) -> Found:
    """Ask until there is an answer: the engine may be away, or not know yet what it is asked about."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return await ask()
        except (RPCError, RuntimeError):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(LOOK)
