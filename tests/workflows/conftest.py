"""The two engines: one that is real, and one that skips time."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from imagemill.payloads import PAYLOADS
from sandbox.stack import LocalStack, StackOptions


@pytest.fixture(scope="session")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """The real engine; timeouts and retries by type are only here as they are in production."""
    options = StackOptions(data_dir=tmp_path_factory.mktemp("engine"), parts={"temporal"})
    async with LocalStack(options) as stack:
        address = stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"]
        yield await Client.connect(address, data_converter=PAYLOADS)


@pytest.fixture(autouse=True)
def steps_between_states(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No job takes a step that the table of states does not know."""
    yield
    assert not [record for record in caplog.records if "no such step" in record.getMessage()]


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """The engine that skips time while nothing works; new for each test."""
    program = Path(sys.executable).parent / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=PAYLOADS, test_server_existing_path=str(program)
    ) as environment:
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=environment.client.namespace,
                search_attributes=dict.fromkeys(("ImagemillTenant", "ImagemillState"), keyword),
            )
        )
        yield environment
