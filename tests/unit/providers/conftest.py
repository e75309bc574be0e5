from collections.abc import AsyncIterator

import httpx2
import pytest

from imagemill.providers.client import http_client


@pytest.fixture(scope="session")
async def production() -> AsyncIterator[httpx2.AsyncClient]:
    """The HTTP client as in production; making one takes half a second, so all tests share it."""
    async with http_client(10) as client:
        yield client
