"""A version goes while jobs are bound to it, or comes while jobs run that began without any."""

from pathlib import Path

import httpx2

from sandbox.stack import LocalStack
from tests.acceptance.service import Service
from tests.acceptance.two_builds import OLD, builds, check, has_failed, items, options, two_builds
from tests.chaos.deploys import Deploy, Deployment, PartEnv, StackHands, first
from tests.workflows.mill import until


async def test_a_job_whose_version_has_gone_waits_and_can_be_moved(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    async with two_builds(tmp_path, http) as (service, env):
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
