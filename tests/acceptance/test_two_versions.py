"""A new version of the program comes while jobs run: they stay with the version that began them.

What becomes of jobs whose version has gone, or that began without one: `tests/chaos/test_versions.py`.
"""

from pathlib import Path

import httpx2

from imagemill.deployments import versions
from tests.acceptance.service import Service
from tests.acceptance.two_builds import builds, check, failures, items, two_builds
from tests.chaos.deploys import Deploy, Deployment, StackHands, first


async def seen(service: Service) -> list[str]:
    """What keeps jobs waiting, as `imagemill doctor` tells it."""
    client = (await Deployment.of(service.stack)).client
    found = await versions(client, "imagemill")
    assert found
    return found.problems


async def test_jobs_stay_with_the_version_that_began_them(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    async with two_builds(tmp_path, http) as (service, env):
        early, old, new = (items(word, count) for word, count in (("early", 6), ("old", 120), ("new", 12)))
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
        async with service.faults({"kind": "delay", "match": "old", "seconds": 3}):
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
