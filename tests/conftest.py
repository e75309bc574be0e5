"""Fixtures and options that all tests share."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

UNIT = Path(__file__).parent / "unit"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos", action="store_true", help="run the long tests that kill things")
    parser.addoption("--seeds", type=int, default=1, help="how many seeds each chaos test runs")
    parser.addoption("--first-seed", type=int, default=0, help="the first seed; by default any")
    parser.addoption(
        "--minutes", type=float, default=10, help="how long the soak among the chaos tests lasts"
    )
    parser.addoption("--evidence", type=Path, help="where chaos runs that fail leave their evidence")
    parser.addoption("--verdicts", type=Path, help="a folder for the verdicts of all chaos runs")
    parser.addoption("--screenshots", type=Path, help="a folder for pictures of the dashboard's pages")


@pytest.fixture(autouse=True)
def closed_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit tests reach nothing over a socket, but for those marked `sockets`."""
    if request.path.is_relative_to(UNIT) and not request.node.get_closest_marker("sockets"):

        def refuse(*_: object) -> None:
            raise AssertionError("a unit test opened a socket")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket.socket, "bind", refuse)


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """A client for whatever is asked over HTTP."""
    async with httpx2.AsyncClient(timeout=30) as client:
        yield client
