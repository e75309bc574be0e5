"""A whole stack for the tests of this folder."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.service import Service

QUICK = {
    "IMAGEMILL_TIMES_CALL_DEADLINE": "8",
    "IMAGEMILL_TIMES_HEARTBEAT_TIMEOUT": "6",
    "IMAGEMILL_TIMES_HEARTBEAT_INTERVAL": "1",
    "IMAGEMILL_TIMES_SWEEP": "10",
    "IMAGEMILL_TIMES_FIRST_PROBE": "1",
    # What one test does to the provider account is over when the next one begins.
    "IMAGEMILL_TIMES_LAST_PROBE": "2",
    "IMAGEMILL_INPUTS_BUCKETS": "delivery/feeds",
}
"""Times at which a lost worker is noticed within a test's patience, and where feeds may lie."""


@pytest.fixture(scope="session")
async def service(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[Service]:
    """A stack whose provider answers at once."""
    options = StackOptions(data_dir=tmp_path_factory.mktemp("stack"), speed=0.0, extra_env=QUICK)
    async with LocalStack(options) as stack:
        yield Service(stack, http)
