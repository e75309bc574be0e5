"""A new version of the program comes while jobs run: they stay with the version that began them."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import httpx2
import pytest
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import WorkflowHistory

from imagemill.deployments import versions
from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Json, Service, nano
from tests.chaos.deploys import BUILD, Deploy, Deployment, PartEnv, StackHands, first
from tests.workflows.mill import until

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


@pytest.fixture
def env() -> PartEnv:
    return {OLD: {BUILD: "a"}, NEW: {BUILD: "b"}}


@pytest.fixture
async def service(tmp_path: Path, http: httpx2.AsyncClient, env: PartEnv) -> AsyncIterator[Service]:
    """Two workers; the second has another program, and does not run yet."""
    later = options(tmp_path, env, programs={NEW: LATER}, IMAGEMILL_WORK_WINDOW="8")
    async with LocalStack(later) as stack:
        await stack.stop_part(NEW)
        yield Service(stack, http)


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


async def seen(service: Service) -> list[str]:
    """What keeps jobs waiting, as `imagemill doctor` tells it."""
    client = (await Deployment.of(service.stack)).client
    found = await versions(client, "imagemill")
    assert found
    return found.problems


async def test_jobs_stay_with_the_version_that_began_them(service: Service, env: PartEnv) -> None:
    early, old, new = (items(word, count) for word, count in (("early", 6), ("old", 60), ("new", 12)))
    stack = service.stack
    deployment = await Deployment.of(stack)
    waiting = await service.submit(items=early)
    assert (await service.ask("POST", f"/v1/jobs/{waiting}/pause")).status_code == 202
    assert await seen(service) == ["no version is current, so workers with a build are given no new job"]
    await first(stack, "a")
    job = await service.submit(items=old)
    await service.until(job, lambda status: status["items"]["succeeded"] > 2)
    await service.until(waiting, lambda status: status["state"] == "paused")

    deploy = Deploy(stack, StackHands(stack), env, "b", seconds=60)
    await deploy.begin()
    assert (await service.status(job))["state"] == "running"
    assert (await service.ask("POST", f"/v1/jobs/{waiting}/resume")).status_code == 202
    later = await service.submit(items=new)
    await service.finished(later)
    assert await seen(service) == []
    await deploy.end()

    assert deploy.moved == []
    for each, wanted in ((waiting, early), (job, old), (later, new)):
        await service.finished(each)
        await check(service, each, [item["prompt"] for item in wanted])
    assert await builds(deployment, job, f"{job}/0", waiting, f"{waiting}/0") == {"a"}
    assert await builds(deployment, later, f"{later}/0") == {"b"}
    for always in ("account/default", "pool/default/default"):
        assert await builds(deployment, always) == {"a", "b"}
        assert not await failures(deployment, always)
    assert await seen(service) == []


async def test_a_job_whose_version_has_gone_waits_and_can_be_moved(service: Service, env: PartEnv) -> None:
    stack, wanted = service.stack, items("stranded", 40)
    deployment = await Deployment.of(stack)
    await first(stack, "a")
    job = await service.submit(items=wanted)
    await service.until(job, lambda status: status["items"]["succeeded"] > 2)
    await Deploy(stack, StackHands(stack), env, "b").begin()
    await stack.stop_part(OLD)
    assert set(await deployment.bound("a")) == {job, f"{job}/0"}

    # The later build takes another path: it can't take the job over, and says so. Nothing is lost by it.
    await deployment.move_all("a", "b")
    await until(lambda: has_failed(deployment, f"{job}/0"), timeout=30)

    await stack.start_part(OLD)
    await deployment.move_all("b", "a")
    await service.finished(job)
    await check(service, job, [item["prompt"] for item in wanted])
    assert await builds(deployment, job, f"{job}/0") == {"a"}


async def test_jobs_that_began_without_versions_go_on_by_the_first_one(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    env: PartEnv = {}
    async with LocalStack(options(tmp_path, env)) as stack:
        service, wanted = Service(stack, http), items("plain", 30)
        deployment = await Deployment.of(stack)
        job = await service.submit(items=wanted)
        await service.until(job, lambda status: status["items"]["succeeded"] > 2)
        assert (await service.ask("POST", f"/v1/jobs/{job}/pause")).status_code == 202
        await service.until(job, lambda status: status["state"] == "paused")
        deploy = Deploy(stack, StackHands(stack), env, "a")
        await deploy.begin()
        await deploy.end()
        assert (await service.ask("POST", f"/v1/jobs/{job}/resume")).status_code == 202
        await service.finished(job)
        await check(service, job, [item["prompt"] for item in wanted])
        assert await builds(deployment, job) == await builds(deployment, f"{job}/0") == {"", "a"}
