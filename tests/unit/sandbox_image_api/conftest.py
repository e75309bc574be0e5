from collections.abc import Iterator

import pytest

from tests.unit.sandbox_image_api.sandbox import Sandbox


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox") / "ledger.jsonl")
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    """The sandbox all tests share, without faults. Tests tell their calls apart by the prompt."""
    running.order_faults()
    yield running
    running.order_faults()
