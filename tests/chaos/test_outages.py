"""The engine is away for ten minutes, with the settings that everybody has who sets none."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.outages import away, check, prompts_of, submit
from tests.acceptance.service import Service
from tests.fakes.receiver import receiver, says

TEN_MINUTES = 600.0


@pytest.fixture
async def plain(tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient) -> AsyncIterator[Service]:
    """Calls take as long as in life; only loopback is allowed beside the default settings."""
    settings = {"IMAGEMILL_WEBHOOKS_ALLOW_HTTP": "true", "IMAGEMILL_WEBHOOKS_ALLOW_PRIVATE": "true"}
    options = StackOptions(data_dir=tmp_path_factory.mktemp("outage"), speed=1.0, extra_env=settings)
    async with LocalStack(options) as stack:
        yield Service(stack, http)


async def test_outage_of_the_engine_for_ten_minutes_loses_nothing(plain: Service) -> None:
    prompts = prompts_of("outage", 200)
    async with receiver(says(200)) as there:
        job = await submit(plain, prompts, there)
        await plain.until(job, lambda status: status["items"]["succeeded"] >= 10)
        await away(plain, job, prompts, TEN_MINUTES)
        # A lost call is looked for until its deadline has surely passed, from when the engine is back on.
        await check(plain, job, prompts, there, 1200)
