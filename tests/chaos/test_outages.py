"""The engine is away for ten minutes, with the settings that everybody has who sets none."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.outages import go_through
from tests.acceptance.service import Service

TEN_MINUTES = 600.0


@pytest.fixture
async def plain(tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient) -> AsyncIterator[Service]:
    """Calls take as long as in life; only loopback is allowed beside the default settings."""
    settings = {"IMAGEMILL_WEBHOOKS_ALLOW_HTTP": "true", "IMAGEMILL_WEBHOOKS_ALLOW_PRIVATE": "true"}
    options = StackOptions(data_dir=tmp_path_factory.mktemp("outage"), speed=1.0, extra_env=settings)
    async with LocalStack(options) as stack:
        yield Service(stack, http)


async def test_outage_of_the_engine_for_ten_minutes_loses_nothing(plain: Service) -> None:
    # A lost call is looked for until its deadline has surely passed, from when the engine is back on.
    await go_through(plain, count=200, begun=10, seconds=TEN_MINUTES, patience=1200)
