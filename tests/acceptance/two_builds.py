"""A stack of two workers, of which the second may have another version of the program."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import WorkflowHistory

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Json, Service, nano
from tests.chaos.deploys import BUILD, Deployment, PartEnv

OLD, NEW = "worker-1", "worker-2"
LATER = ("-m", "tests.acceptance.later_build")


def items(word: str, count: int) -> list[Json]:
    return [{"custom_id": f"{word}-{number}", "prompt": f"{word} {number}"} for number in range(count)]


def options(
    folder: Path, env: PartEnv, programs: Mapping[str, Sequence[str]] | None = None, **more: str
) -> StackOptions:
    """Two workers, a few calls at once, and time to finish them."""
    return StackOptions(
        data_dir=folder,
        workers=2,
        speed=0.1,
        extra_env=QUICK | {"IMAGEMILL_WORK_IMAGES_AT_ONCE": "4"} | more,
        part_env=env,
        programs=programs or {},
        stop_grace=20,
        start_timeout=90,
    )


@asynccontextmanager
async def two_builds(folder: Path, http: httpx2.AsyncClient) -> AsyncIterator[tuple[Service, PartEnv]]:
    """Two workers; the second has a later build, and does not run yet. And what they are started with."""
    env: PartEnv = {OLD: {BUILD: "a"}, NEW: {BUILD: "b"}}
    later = options(folder, env, programs={NEW: LATER}, IMAGEMILL_WORK_WINDOW="8")
    async with LocalStack(later) as stack:
        await stack.stop_part(NEW)
        yield Service(stack, http), env


async def history(deployment: Deployment, workflow: str) -> WorkflowHistory:
    return await deployment.client.get_workflow_handle(workflow).fetch_history()


async def failures(deployment: Deployment, workflow: str) -> list[str]:
    """Steps that a worker could not do, by their causes."""
    return [
        WorkflowTaskFailedCause.Name(event.workflow_task_failed_event_attributes.cause)
        for event in (await history(deployment, workflow)).events
        if event.HasField("workflow_task_failed_event_attributes")
    ]


async def has_failed(deployment: Deployment, workflow: str) -> bool:
    return bool(await failures(deployment, workflow))


async def builds(deployment: Deployment, *workflows: str) -> set[str]:
    """By which versions the workflows' steps were done, in all their runs."""
    done = set()
    for workflow in workflows:
        for event in (await history(deployment, workflow)).events:
            if event.HasField("workflow_task_completed_event_attributes"):
                done.add(event.workflow_task_completed_event_attributes.deployment_version.build_id)
    return done


async def check(service: Service, job: str, prompts: list[str]) -> None:
    """Every item bought once, all billed and settled, and nothing written off."""
    status = await service.status(job)
    ledger = await service.ledger(*prompts)
    assert status["state"] == "completed"
    assert status["items"]["succeeded"] == len(prompts)
    assert Counter(ledger["calls"].values()) == {1: len(prompts)}
    assert nano(status["cost"]["settled_usd"]) == ledger["nano"]
    assert nano(status["cost"]["written_off_usd"]) == 0
