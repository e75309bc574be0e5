"""The service as its callers see it, and the provider's ledger, which the service never reads."""

import asyncio
import hashlib
import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
from PIL import Image

from sandbox.image_api import pattern
from sandbox.stack import LocalStack

ENDED = ("completed", "completed_with_errors", "cancelled", "failed")
SMALL = {"model": "gpt-image-2.5-flare", "size": "816x816", "quality": "low", "output_format": "jpeg"}
"""The cheapest legal picture, to be quick."""

Json = dict[str, Any]
Prompts = dict[tuple[str, str | None], str]
"""What was asked for, by custom id and variant."""


class Service:
    """The HTTP API of a running stack, and the ledger beside it."""

    def __init__(self, stack: LocalStack, http: httpx2.AsyncClient) -> None:
        self.stack = stack
        self._http = http
        self._url = str(stack.addresses.url)
        self._sandbox = str(stack.addresses.image_api).rstrip("/").removesuffix("/v1")
        self._headers = {"Authorization": f"Bearer {stack.addresses.api_key}"}

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """One request, as it is answered."""
        headers = self._headers | more.pop("headers", {})
        return await self._http.request(method, self._url + path, headers=headers, **more)

    async def submit(self, **submission: Any) -> str:
        """Submit a job that must be accepted; with small pictures, where it does not say otherwise."""
        body = {"defaults": SMALL, "budget": {"limit_usd": "100.00"}} | submission
        answer = await self.ask("POST", "/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def upload(self, name: str, data: bytes) -> str:
        """Upload a file."""
        answer = await self.ask("POST", "/v1/files", files={"file": (name, data)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def status(self, job: str) -> Json:
        """The status of a job."""
        answer = await self.ask("GET", f"/v1/jobs/{job}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def until(self, job: str, holds: Callable[[Json], bool], seconds: float = 120) -> Json:
        """Poll until something holds of the job's status; the API may be away meanwhile."""
        status: Json = {}
        async with asyncio.timeout(seconds):
            while True:
                try:
                    status = await self.status(job)
                except (httpx2.TransportError, AssertionError):
                    status = {"state": "unreachable", "items": Counter()}
                if holds(status):
                    return status
                await asyncio.sleep(0.1)

    async def finished(self, job: str, seconds: float = 120) -> Json:
        """The status of a job that has ended."""
        return await self.until(job, lambda status: status["state"] in ENDED, seconds)

    async def results(self, job: str) -> list[Json]:
        """All ended items."""
        answer = await self.ask("GET", f"/v1/jobs/{job}/results")
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    async def fetch(self, url: str) -> bytes:
        """An image, by its presigned address."""
        answer = await self._http.get(url)
        answer.raise_for_status()
        return answer.content

    async def ledger(self, *prompts: str) -> Json:
        """What the provider billed for these prompts: calls by prompt, and nano-dollars."""
        wanted = {hashlib.sha256(prompt.encode()).hexdigest() for prompt in prompts}
        answer = await self._http.get(f"{self._sandbox}/_sandbox/ledger")
        billed = [
            entry
            for entry in answer.json()["entries"]
            if entry["event"] == "billed" and entry["prompt_sha256"] in wanted
        ]
        calls = Counter(entry["prompt_sha256"] for entry in billed)
        return {"calls": calls, "nano": sum(entry["billed_nano"] for entry in billed)}

    async def entries(self, since: int) -> tuple[int, list[Json]]:
        """The entries of the provider's ledger from number `since` on, and the number to go on with."""
        answer = await self._http.get(f"{self._sandbox}/_sandbox/ledger", params={"since": since})
        answer.raise_for_status()
        return answer.json()["next"], answer.json()["entries"]

    async def validate(self, **submission: Any) -> Json:
        """What a submission would cost; it must be one that would be accepted."""
        body = {"defaults": SMALL, "budget": {"limit_usd": "100.00"}} | submission
        answer = await self.ask("POST", "/v1/jobs?validate_only=true", json=body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def set_budget(self, job: str, **budget: str) -> Json:
        """Change a job's cap, or what happens when it is used up."""
        answer = await self.ask("PATCH", f"/v1/jobs/{job}", json={"budget": budget})
        assert answer.status_code == 202, answer.text
        found: Json = answer.json()
        return found

    async def set_caps(self, **caps: str) -> None:
        """Set the tenant's caps, as its operator."""
        key = {"Authorization": f"Bearer {self.stack.credentials.admin_key}"}
        answer = await self.ask("PUT", "/v1/tenants/default/caps", json=caps, headers=key)
        assert answer.status_code == 200, answer.text

    async def report(self, job: str) -> Json:
        """The receipt of a job that has ended, with its items and their attempts."""
        answer = await self.ask("GET", f"/v1/jobs/{job}/report?items=true")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def usage(self) -> Json:
        """What the tenant has spent these days, whatever day it is in its time zone."""
        today = datetime.now(UTC).date()
        days = {"from": str(today - timedelta(days=2)), "to": str(today + timedelta(days=2))}
        for _ in range(30):
            answer = await self.ask("GET", "/v1/usage", params=days)
            if answer.status_code != 503:
                break
            # After a worker's death, what it kept in its memory can't be asked for a while.
            await asyncio.sleep(0.2)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def all_told(self, seconds: float = 60) -> Json:
        """The tenant's usage as it stands after this was asked, once no job holds any of its money."""
        usage: Json = {}
        asked = datetime.now(UTC)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    usage = await self.usage()
                    fresh = datetime.fromisoformat(usage["as_of"]) >= asked
                    if fresh and not nano(usage["leased_usd"]):
                        return usage
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"still leased after {seconds} seconds: {usage}") from None

    @asynccontextmanager
    async def faults(self, *plan: Json) -> AsyncIterator[None]:
        """Let the provider misbehave for a while."""
        where = f"{self._sandbox}/_sandbox/faults"
        (await self._http.post(where, json=list(plan))).raise_for_status()
        try:
            yield
        finally:
            await self._http.delete(where)


def nano(usd: str) -> int:
    """A decimal string of US dollars as nano-dollars."""
    return int(Decimal(usd) * 10**9)


async def check_pictures(service: Service, results: list[Json], prompts: Prompts) -> None:
    """Every image is what its result says, and its pixels say its item's prompt."""
    gate = asyncio.Semaphore(8)

    async def check(result: Json) -> None:
        prompt = prompts[result["custom_id"], result["variant"]]
        for number, image in enumerate(result["images"]):
            async with gate:
                data = await service.fetch(image["url"])
            await asyncio.to_thread(check_picture, data, image, prompt, number)

    await asyncio.gather(*(check(result) for result in results))


def check_picture(data: bytes, said: Json, prompt: str, number: int) -> None:
    """One image's bytes against what was said of it."""
    assert hashlib.sha256(data).hexdigest() == said["sha256"]
    assert len(data) == said["bytes"]
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert (image.width, image.height) == (said["width"], said["height"])
        assert str(image.format).lower() == said["format"]
    assert pattern.read(data) == pattern.of(prompt, number)
