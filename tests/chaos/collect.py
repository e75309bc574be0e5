"""Gathers what is there after a run: both buckets, what the engine remembers, what everybody wrote."""

import asyncio
import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from temporalio.client import Client

from sandbox.stack import LocalStack
from sandbox.stack.buckets import CONFIG
from tests.chaos.evidence import Json
from tests.chaos.sampling import Sampler, histories

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKETS = ("control", "delivery")
AT_ONCE = 8


async def collect_buckets(stack: LocalStack, folder: Path) -> None:
    """Fetch every object of both buckets."""
    await asyncio.to_thread(_fetch_all, stack, folder / "bucket")


def _fetch_all(stack: LocalStack, folder: Path) -> None:
    folder.mkdir()
    keys = stack.credentials
    client = boto3.Session().client(
        "s3",
        endpoint_url=stack.addresses.store,
        aws_access_key_id=keys.store_access_key,
        aws_secret_access_key=keys.store_secret_key,
        region_name="us-east-1",
        config=CONFIG.merge(
            Config(read_timeout=20, retries={"total_max_attempts": 5}, max_pool_connections=AT_ONCE)
        ),
    )
    found = [(bucket, entry["Key"]) for bucket in BUCKETS for entry in _listed(client, bucket)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        lines = list(pool.map(lambda each: _fetch(client, folder, each[0], *each[1]), enumerate(found)))
    (folder / "objects.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _listed(client: "S3Client", bucket: str) -> list[Mapping[str, str]]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [{"Key": entry["Key"]} for page in pages for entry in page.get("Contents", [])]


def _fetch(client: "S3Client", folder: Path, number: int, bucket: str, key: str) -> Json:
    answer = client.get_object(Bucket=bucket, Key=key)
    data = answer["Body"].read()
    name = f"{number:05d}"
    (folder / name).write_bytes(data)
    return {
        "bucket": bucket,
        "key": key,
        "size": len(data),
        "etag": answer["ETag"].strip('"'),
        "modified": answer["LastModified"].timestamp(),
        "metadata": answer["Metadata"],
        "content_type": answer.get("ContentType"),
        "file": name,
    }


async def collect_histories(stack: LocalStack, folder: Path) -> None:
    """How long the history of every workflow is."""
    client = await Client.connect(str(stack.addresses.temporal))
    lines = await histories(client)
    (folder / "histories.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def collect_files(stack: LocalStack, engine: Path, folder: Path) -> None:
    """What the parts wrote, once they are stopped."""
    root = stack.directory.root
    shutil.copytree(stack.directory.logs, folder / "logs")
    (folder / "engine").mkdir()
    for file in engine.glob("temporal.db*"):
        shutil.copy(file, folder / "engine" / file.name)
    shutil.copy(root / "image-api-ledger.jsonl", folder / "provider.jsonl")


def sampler(stack: LocalStack, folder: Path) -> Sampler:
    """Notes what each process takes."""
    return Sampler(
        lambda: {name: stack.pid(name) for name in stack.names if stack.is_running(name)},
        folder / "processes.jsonl",
    )
