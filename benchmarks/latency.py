"""A job of one image on an idle machine: from submission to stored object, over the provider's own time.

The provider's time is taken from its ledger: from the moment that it accepted the call to the moment that
it answered.
"""

import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import boto3
import httpx2
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.stack import LocalStack, StackOptions

ROUNDS = 15
WARM_UP = 3


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


async def main() -> None:
    """Run the rounds, one after the other, and print their spread."""
    with tempfile.TemporaryDirectory() as folder:
        async with LocalStack(StackOptions(data_dir=Path(folder), speed=0.0)) as stack:
            rounds = [await one(stack, number) for number in range(WARM_UP + ROUNDS)][WARM_UP:]
    for name in ("accepted", "stored", "provider", "overhead"):
        values = sorted(getattr(each, name) for each in rounds)
        print(
            f"latency {name:9} ms: median {statistics.median(values):6.1f}   "
            f"min {values[0]:6.1f}   max {values[-1]:6.1f}"
        )


async def one(stack: LocalStack, number: int) -> Round:
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
    async with httpx2.AsyncClient(headers=headers) as http:
        began = time.perf_counter()
        answer = await http.post(f"{stack.addresses.url}/v1/jobs", json=body)
        accepted = time.perf_counter()
        answer.raise_for_status()
        job = answer.json()["id"]
        await asyncio.to_thread(wait_for_object, stack, f"images/{job}/one/1.jpg")
        stored = time.perf_counter()
        provider = await provider_time(stack, http)
        await wait_for_end(stack, http, job)
    return Round((accepted - began) * 1000, (stored - began) * 1000, provider * 1000)


def wait_for_object(stack: LocalStack, key: str) -> None:
    """Ask for the object, over and over."""
    settings = stack.environment
    client = boto3.client(
        "s3",
        endpoint_url=settings["IMAGEMILL_DELIVERY_ENDPOINT"],
        aws_access_key_id=settings["IMAGEMILL_DELIVERY_ACCESS_KEY"],
        aws_secret_access_key=settings["IMAGEMILL_DELIVERY_SECRET_KEY"],
        region_name="us-east-1",
        config=Config(signature_version="s3v4"),
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            client.head_object(Bucket=settings["IMAGEMILL_DELIVERY_BUCKET"], Key=key)
        except ClientError:
            time.sleep(0.005)
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
