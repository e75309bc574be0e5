"""The application on stores and an engine in memory, and browsers that are logged in."""

import functools
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from api.app import make_app
from api.context import Context
from api.keys import Keyring, hash_key
from dashboard.wiring import begin
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.messages import Times
from imagemill.domain.tenant import Caps
from imagemill.settings import WorkSettings
from imagemill.tenants import Tenants
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.dashboard.browser import Browser

SECRET = "0123456789abcdef"
KEYS = {name: f"im_{name}_{SECRET}" for name in ("reads", "submits", "both", "admins", "other")}
ADMIN = "im_boss_0123456789abcdef"


def entry(tenant: str, name: str, scopes: str, more: str = "") -> str:
    digest = hashlib.sha256(KEYS[name].encode()).hexdigest()
    return f'[[tenants.{tenant}.keys]]\nid = "{name}"\nsha256 = "{digest}"\nscopes = {scopes.split()}\n{more}'


@pytest.fixture
def tenants(tmp_path: Path) -> Tenants:
    path = tmp_path / "tenants.toml"
    path.write_text(
        entry("t", "reads", "read")
        + entry("t", "submits", "submit")
        + entry("t", "both", "read submit")
        + entry("t", "admins", "read submit admin")
        + entry("other", "other", "read submit admin")
    )
    return Tenants(path)


@pytest.fixture
def parts(tenants: Tenants) -> Context:
    return Context(
        control=MemoryStore(),
        delivery=MemoryStore(),
        engine=MemoryEngine(),
        catalogue=Catalogue.load(),
        work=WorkSettings(),
        times=Times(),
        prefix="",
        keys=Keyring(tenants),
        tenants=tenants,
        caps=Caps(day_nano=10**12),
        admin_sha256=hash_key(ADMIN),
    )


@pytest.fixture
def control(parts: Context) -> MemoryStore:
    assert isinstance(parts.control, MemoryStore)
    return parts.control


@pytest.fixture
def delivery(parts: Context) -> MemoryStore:
    assert isinstance(parts.delivery, MemoryStore)
    return parts.delivery


@pytest.fixture
def engine(parts: Context) -> MemoryEngine:
    assert isinstance(parts.engine, MemoryEngine)
    return parts.engine


@functools.cache
def _app() -> FastAPI:
    return make_app()


@pytest.fixture
def app(parts: Context) -> FastAPI:
    """One for all tests, since its first request takes long: a test that adds routes makes its own."""
    app = _app()
    app.state.context = parts
    begin(app)
    return app


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[Browser]:
    """Nobody is logged in."""
    browser = Browser(app)
    yield browser
    await browser.http.aclose()


@pytest.fixture
async def browser(stranger: Browser) -> Browser:
    """Logged in with a key that may look and submit."""
    assert (await stranger.log_in(KEYS["both"])).status_code == 303
    return stranger


@pytest.fixture
async def reader(app: FastAPI) -> AsyncIterator[Browser]:
    """Logged in with a key that may only look."""
    browser = Browser(app)
    assert (await browser.log_in(KEYS["reads"])).status_code == 303
    yield browser
    await browser.http.aclose()


@pytest.fixture
async def operator(app: FastAPI) -> AsyncIterator[Browser]:
    """Logged in with the operator's key."""
    browser = Browser(app)
    assert (await browser.log_in(ADMIN)).status_code == 303
    yield browser
    await browser.http.aclose()
