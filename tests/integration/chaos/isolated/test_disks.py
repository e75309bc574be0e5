"""Full disks under the real store and the real engine, and what is left once there is room again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from sandbox.stack import LocalStack, StackOptions
from sandbox.stack.buckets import CONFIG
from tests.chaos import isolation
from tests.chaos.ground import Ground

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PICTURE = bytes(100_000)


@asynccontextmanager
async def stack_on(folder: Path, part: str, target: str) -> AsyncIterator[tuple[Ground, LocalStack]]:
    isolation.lift_loopback()
    with Ground.lay(folder, 0, [{"kind": "fill", "target": target}]) as ground:
        assert ground.powers.disks is None
        options = StackOptions(data_dir=folder, parts={part}, ports=ground.ports, stop_on_death=False)
        async with LocalStack(options) as stack:
            yield ground, stack


def connect_store(stack: LocalStack) -> "S3Client":
    keys = stack.credentials
    return boto3.Session().client(
        "s3",
        endpoint_url=stack.addresses.store,
        aws_access_key_id=keys.store_access_key,
        aws_secret_access_key=keys.store_secret_key,
        region_name="us-east-1",
        config=CONFIG,
    )


def put_small(store: "S3Client") -> list[str]:
    """Puts small objects until one is refused; answers those that were taken.

    Each fits into what is left of a page, until the pages of the store's index have nothing left.
    """
    taken: list[str] = []
    try:
        while len(taken) < 1000:
            store.put_object(Bucket="control", Key=f"small-{len(taken)}", Body=b"small")
            taken.append(f"small-{len(taken)}")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InternalError"  # noqa: PT017 - until one is refused
    return taken


async def test_a_full_store_refuses_and_forgets_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    async with stack_on(tmp_path, "store", "store") as (ground, stack):
        store = connect_store(stack)
        store.put_object(Bucket="control", Key="before", Body=PICTURE)
        ground.fill("store")
        with pytest.raises(ClientError, match="InternalError"):
            store.put_object(Bucket="control", Key="meanwhile", Body=PICTURE)
        taken = put_small(store)
        assert len(taken) < 1000
        assert store.get_object(Bucket="control", Key="before")["Body"].read() == PICTURE
        assert stack.is_running("store")
        for part in ground.free("store"):
            await stack.restart(part)
        store.put_object(Bucket="control", Key="after", Body=PICTURE)
        assert all(store.get_object(Bucket="control", Key=key)["Body"].read() == b"small" for key in taken)
        store.close()


class Starts:
    """Starts of workflows that nobody works on: which were acknowledged, and which were refused."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.acknowledged: list[str] = []
        self.refused = 0

    async def start(self, name: str) -> bool:
        try:
            await self._client.start_workflow(
                "nobody", "x" * 20_000, id=name, task_queue="nobody", rpc_timeout=timedelta(seconds=1)
            )
        except RPCError:
            self.refused += 1
            return False
        self.acknowledged.append(name)
        return True

    async def check(self) -> None:
        for name in self.acknowledged:
            found = await self._client.get_workflow_handle(name).describe(rpc_timeout=timedelta(seconds=20))
            assert found.status is WorkflowExecutionStatus.RUNNING


async def test_a_full_engine_refuses_and_forgets_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    async with stack_on(tmp_path, "temporal", "engine") as (ground, stack):
        starts = Starts(await Client.connect(str(stack.addresses.temporal)))
        await starts.start("before")
        ground.fill("engine")
        async with asyncio.timeout(60):
            number = 0
            while starts.refused < 2:
                await starts.start(f"meanwhile-{number}")
                number += 1
        ground.free("engine")
        async with asyncio.timeout(60):
            while not await starts.start(f"after-{number}"):
                number += 1
        await starts.check()
        await stack.kill("temporal")
        await stack.start_part("temporal")
        await starts.check()
        with suppress(RPCError):
            await starts.start("in the end")
