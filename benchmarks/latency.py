"""A job of one image on an idle machine: from submission to stored object, over the provider's own time.

Measured with a provider that answers at once, where what is ours is seen best, and with one that takes as
long as a quick model does. The provider's time is taken from its ledger: from the moment that it accepted the
call to the moment that it answered.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx2
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks.results import Row
from benchmarks.rounds import Spread
from sandbox.stack import LocalStack, StackOptions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WARM_UP = 3
MEAN_SECONDS = 13.0
"""What the sandbox takes for a picture of low quality at speed 1."""


@dataclass(frozen=True, slots=True)
class Case:
    """How long the provider takes, how often it is measured, and the seconds between two looks.

    Looks for the object take time from the service on a machine of two cores, so that there are few where
    they need not be close.
    """

    name: str
    provider_seconds: float
    rounds: int
    between: float
    overhead_target: str = ""
    ratio_target: str = ""


CASES = (
    Case("provider at once", 0.0, 15, 0.005, overhead_target="≤ 150"),
    Case("provider at 5 s", 5.0, 7, 0.02, ratio_target="≤ 1.15"),
)


@dataclass(frozen=True, slots=True)
class Round:
    """One job: milliseconds until the 202, until the object was there, and within the provider."""

    accepted: float
    stored: float
    provider: float

    @property
    def overhead(self) -> float:
        """What is ours of it."""
        return self.stored - self.provider


async def main() -> list[Row]:
    """Run the rounds of each case, one after the other, and print their spread."""
    rows: list[Row] = []
    for case in CASES:
        found = judge(case, await rounds_of(case))
        rows += found
        for row in found:
            spread = Spread(row.median, row.least, row.most, row.count)
            print(f"latency, {row.case}: {row.figure} {row.unit}: {spread.shown()}")
    return rows


async def rounds_of(case: Case) -> list[Round]:
    """One stack, and one job at a time on it."""
    with tempfile.TemporaryDirectory() as folder:
        options = StackOptions(data_dir=Path(folder), speed=case.provider_seconds / MEAN_SECONDS)
        async with LocalStack(options) as stack:
            bucket = delivery(stack)
            numbers = range(WARM_UP + case.rounds)
            return [await one(stack, bucket, number, case.between) for number in numbers][WARM_UP:]


def judge(case: Case, rounds: Sequence[Round]) -> list[Row]:
    """What a case's rounds say."""
    ms = {
        "until it is accepted": [each.accepted for each in rounds],
        "until it is stored": [each.stored for each in rounds],
        "within the provider": [each.provider for each in rounds],
        "overhead": [each.overhead for each in rounds],
    }
    targets = {"overhead": case.overhead_target}
    rows = [
        Row.of(figure, case.name, Spread.of(values), unit="ms", target=targets.get(figure, ""))
        for figure, values in ms.items()
    ]
    if case.provider_seconds:
        ratios = Spread.of([each.stored / each.provider for each in rounds])
        rows.append(Row.of("over the provider's own", case.name, ratios, target=case.ratio_target))
    return rows


async def one(stack: LocalStack, bucket: "S3Client", number: int, between: float) -> Round:
    """One job of one image."""
    headers = {"Authorization": f"Bearer {stack.addresses.api_key}"}
    body = {
        "defaults": {
            "model": "gpt-image-2.5-flare",
            "size": "1024x1024",
            "quality": "low",
            "output_format": "jpeg",
        },
        "items": [{"custom_id": "one", "prompt": f"A jug, number {number}"}],
        "budget": {"limit_usd": "1.00"},
    }
    name = stack.environment["IMAGEMILL_DELIVERY_BUCKET"]
    async with httpx2.AsyncClient(headers=headers) as http:
        began = time.perf_counter()
        answer = await http.post(f"{stack.addresses.url}/v1/jobs", json=body)
        accepted = time.perf_counter()
        answer.raise_for_status()
        job = answer.json()["id"]
        await asyncio.to_thread(wait_for_object, bucket, name, f"images/{job}/one/1.jpg", between)
        stored = time.perf_counter()
        provider = await provider_time(stack, http)
        await wait_for_end(stack, http, job)
    return Round((accepted - began) * 1000, (stored - began) * 1000, provider * 1000)


def delivery(stack: LocalStack) -> "S3Client":
    """A client for the bucket of the images."""
    settings = stack.environment
    return boto3.client(
        "s3",
        endpoint_url=settings["IMAGEMILL_DELIVERY_ENDPOINT"],
        aws_access_key_id=settings["IMAGEMILL_DELIVERY_ACCESS_KEY"],
        aws_secret_access_key=settings["IMAGEMILL_DELIVERY_SECRET_KEY"],
        region_name="us-east-1",
        config=Config(signature_version="s3v4"),
    )


def wait_for_object(client: "S3Client", bucket: str, key: str, between: float) -> None:
    """Ask for the object, over and over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            client.head_object(Bucket=bucket, Key=key)
        except ClientError:
            time.sleep(between)
        else:
            return
    raise TimeoutError(key)


async def provider_time(stack: LocalStack, http: httpx2.AsyncClient) -> float:
    """Seconds from the provider's acceptance of its last call to its answer, by its ledger."""
    base = str(stack.addresses.image_api).rstrip("/").removesuffix("/v1")
    entries = (await http.get(f"{base}/_sandbox/ledger")).json()["entries"]
    last = [entry for entry in entries if entry["request_id"] == entries[-1]["request_id"]]
    times = [when(entry["time"]) for entry in last]
    return max(times) - min(times)


def when(told: str | float) -> float:
    """A time of the ledger as seconds."""
    return float(told) if isinstance(told, int | float) else datetime.fromisoformat(told).timestamp()


async def wait_for_end(stack: LocalStack, http: httpx2.AsyncClient, job: str) -> None:
    """Until the job has ended, so that the next round finds an idle machine."""
    async with asyncio.timeout(30):
        while (await http.get(f"{stack.addresses.url}/v1/jobs/{job}")).json()["ended_at"] is None:
            await asyncio.sleep(0.02)
