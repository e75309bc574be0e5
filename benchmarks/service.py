"""What the benchmarks do with a running stack: submit, wait, and read the provider's ledger."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from sandbox.stack import LocalStack

SMALL = {"model": "gpt-image-2.5-flare", "size": "816x816", "quality": "low", "output_format": "jpeg"}
"""The cheapest legal picture: what is measured is not the drawing."""

ENDED = ("completed", "completed_with_errors", "cancelled", "failed")


class Service:
    """The HTTP API, as one tenant sees it, and the image API's control."""

    def __init__(self, stack: LocalStack, http: httpx2.AsyncClient, url: str, key: str) -> None:
        self._http = http
        self._url = url
        self.headers = {"Authorization": f"Bearer {key}"}
        self._sandbox = str(stack.addresses.image_api).rstrip("/").removesuffix("/v1")

    async def submit(self, word: str, items: int, **more: Any) -> str:
        """A job of so many small pictures; its id."""
        body = {
            "defaults": SMALL,
            "items": [{"custom_id": f"{word}-{n}", "prompt": f"A vase, {word} {n}"} for n in range(items)],
            "budget": {"limit_usd": "900.00"},
        }
        answer = await self._http.post(f"{self._url}/v1/jobs", json=body | more, headers=self.headers)
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def status(self, job: str) -> dict[str, Any]:
        """The status of a job."""
        answer = await self._http.get(f"{self._url}/v1/jobs/{job}", headers=self.headers)
        answer.raise_for_status()
        return dict(answer.json())

    async def until_done(self, job: str, seconds: float, *, images: int | None = None) -> dict[str, Any]:
        """Until a job has ended, or has brought so many images.

        Raises:
            TimeoutError: it takes longer than that.
        """
        async with asyncio.timeout(seconds):
            while True:
                status = await self.status(job)
                if status["state"] in ENDED or (images and status["items"]["succeeded"] >= images):
                    return status
                await asyncio.sleep(0.02 if images else 0.5)

    async def limit(self, **limits: int | None) -> None:
        """Set the image API's limits by the minute."""
        answer = await self._http.post(f"{self._sandbox}/_sandbox/limits", json=limits)
        answer.raise_for_status()

    async def ledger(self) -> dict[str, Any]:
        """What the image API has billed and refused."""
        answer = await self._http.get(f"{self._sandbox}/_sandbox/ledger")
        return dict(answer.json())


def service(stack: LocalStack, http: httpx2.AsyncClient) -> Service:
    """The stack's own API and tenant."""
    return Service(stack, http, str(stack.addresses.url), str(stack.addresses.api_key))


@asynccontextmanager
async def other_tenant(stack: LocalStack, http: httpx2.AsyncClient, name: str) -> AsyncIterator[Service]:
    """A second API process for another tenant, beside the stack's own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key = f"im_{name}_0123456789abcdef0123456789abcdef"
    environment = os.environ | stack.environment | {"IMAGEMILL_TENANT": name, "IMAGEMILL_API_KEY": key}
    api = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api", "--host", "127.0.0.1", "--port", str(port)),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(30):
            while not await _ready(http, url):
                await asyncio.sleep(0.1)
        yield Service(stack, http, url, key)
    finally:
        api.terminate()
        await api.wait()


async def _ready(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/readyz")).status_code == 200
    except httpx2.HTTPError:
        return False
