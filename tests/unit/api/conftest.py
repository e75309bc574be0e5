"""The application on stores and an engine in memory."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from api.app import make_app
from api.context import Context
from api.keys import Keyring, hash_key
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.messages import Times
from imagemill.domain.tenant import Caps
from imagemill.settings import WorkSettings
from imagemill.tenants import Tenants
from tests.fakes.engine import MemoryEngine
from tests.fakes.schedules import MemorySchedules
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import ADMIN, KEY


@pytest.fixture
def parts() -> Context:
    return Context(
        control=MemoryStore(),
        delivery=MemoryStore(),
        engine=MemoryEngine(),
        catalogue=Catalogue.load(),
        work=WorkSettings(),
        times=Times(),
        prefix="",
        keys=Keyring(Tenants(), KEY, "t"),
        caps=Caps(day_nano=10**12),
        admin_sha256=hash_key(ADMIN),
        schedules=MemorySchedules(),
    )


@pytest.fixture
def control(parts: Context) -> MemoryStore:
    assert isinstance(parts.control, MemoryStore)
    return parts.control


@pytest.fixture
def engine(parts: Context) -> MemoryEngine:
    assert isinstance(parts.engine, MemoryEngine)
    return parts.engine


@pytest.fixture
def schedules(parts: Context) -> MemorySchedules:
    assert isinstance(parts.schedules, MemorySchedules)
    return parts.schedules


@pytest.fixture
async def http(parts: Context) -> AsyncIterator[httpx2.AsyncClient]:
    app = make_app()
    app.state.context = parts
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        yield client
