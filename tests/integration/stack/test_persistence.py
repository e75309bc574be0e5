"""What survives."""

from pathlib import Path

from temporalio.client import Client, WorkflowExecutionStatus

from sandbox.stack import LocalStack, StackOptions
from tests.integration.stack.helpers import s3


async def test_killed_parts_come_back_on_their_ports_with_their_data(tmp_path: Path) -> None:
    options = StackOptions(data_dir=tmp_path, parts={"temporal", "store"})
    async with LocalStack(options) as stack:
        before = stack.addresses
        await leave_something(stack)
        await stack.kill("temporal")
        await stack.kill("store")
        await stack.start_part("temporal")
        await stack.start_part("store")
        assert stack.addresses == before
        await find_it(stack)
    assert stack.failure is None

    async with LocalStack(options) as again:
        assert again.addresses == before
        assert again.credentials == stack.credentials
        await find_it(again)


async def leave_something(stack: LocalStack) -> None:
    client = await Client.connect(stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"])
    await client.start_workflow("nothing", id="survivor", task_queue="nobody")
    s3(stack).put_object(Bucket="control", Key="survivor", Body=b"still here")


async def find_it(stack: LocalStack) -> None:
    client = await Client.connect(stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"])
    description = await client.get_workflow_handle("survivor").describe()
    assert description.status is WorkflowExecutionStatus.RUNNING
    assert s3(stack).get_object(Bucket="control", Key="survivor")["Body"].read() == b"still here"
