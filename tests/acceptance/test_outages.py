"""The engine is away for longer than it waits for heartbeats, and comes back. The real time is chaos's."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.outages import go_through
from tests.acceptance.service import Service

AWAY = 10.0
"""Seconds: more than twice the heartbeat timeout, and more than a call's deadline."""


@pytest.fixture
async def service(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[Service]:
    """Calls take two seconds, and are known to be lost after four."""
    more = {
        "IMAGEMILL_WORK_IMAGES_AT_ONCE": "4",
        "IMAGEMILL_WEBHOOKS_ALLOW_HTTP": "true",
        "IMAGEMILL_WEBHOOKS_ALLOW_PRIVATE": "true",
    }
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("outage"), speed=0.16, extra_env=QUICK | more, start_timeout=90
    )
    async with LocalStack(options) as stack:
        yield Service(stack, http)


async def test_while_the_engine_is_away_answers_are_honest_and_nothing_is_lost(service: Service) -> None:
    await go_through(service, count=16, begun=2, seconds=AWAY, patience=120)
