"""The Python client while the service is killed and started again under it."""

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from imagemill_client import AsyncImagemill, AsyncJob, Imagemill
from imagemill_client._core import items as core_items
from imagemill_client.params import ImageSettings, NewItem
from tests.acceptance.service import Service, check_picture
from tests.pages import DOCS

ITEMS = 25
WAVES = 5
"""A job's pictures take 0, 1, 2, 3 or 4 seconds, so that it goes on while the API is away."""
SETTINGS: ImageSettings = {"model": "gpt-image-2.5-flare", "size": "816x816", "quality": "low"}


def catalog(word: str, count: int = ITEMS) -> list[NewItem]:
    return [
        {"custom_id": f"{word}-{n}", "prompt": f"A bowl, {word} {n}, wave {n % WAVES}"} for n in range(count)
    ]


def slowly(service: Service) -> AbstractAsyncContextManager[None]:
    delays = ({"kind": "delay", "seconds": n, "match": f"wave {n}"} for n in range(1, WAVES))
    return service.faults(*delays)


async def kill(service: Service) -> None:
    """Kill the API, and leave it dead for as long as it takes to start again."""
    await service.stack.kill("api")
    await service.stack.start_part("api")


@asynccontextmanager
async def client(service: Service) -> AsyncIterator[AsyncImagemill]:
    addresses = service.stack.addresses
    # On a busy machine the service takes longer to start than callers wait by default.
    async with AsyncImagemill(str(addresses.url), str(addresses.api_key), max_retries=20) as made:
        yield made


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.iterdir()}


async def bought(service: Service, items: list[NewItem]) -> Counter[int]:
    """How often the provider was paid for each picture."""
    ledger = await service.ledger(*[item["prompt"] for item in items])
    return Counter(ledger["calls"].values())


async def test_a_submission_outlasts_the_services_death_and_is_one_job(service: Service) -> None:
    """Some callers are answered before the service dies, and others only after."""
    items = catalog("submit", 2)
    first = asyncio.Event()

    async def submit(client: AsyncImagemill) -> AsyncJob:
        job = await client.jobs.submit(
            items=items, budget="1.00", defaults=SETTINGS, idempotency_key="dies-meanwhile"
        )
        first.set()
        return job

    async with client(service) as made:
        callers = [asyncio.create_task(submit(made)) for _ in range(30)]
        await first.wait()
        late = [asyncio.create_task(submit(made)) for _ in range(5)]
        await kill(service)
        jobs = await asyncio.gather(*callers, *late)
        await jobs[0].wait(60)

    assert len({job.id for job in jobs}) == 1
    assert jobs[0].state == "completed"
    assert await bought(service, items) == {1: 2}


async def test_each_item_comes_once_and_each_picture_is_whole_though_the_service_dies_twice(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dead when the job is submitted; and it dies while one waits, two iterate and two download."""
    monkeypatch.setattr(core_items, "PAGE", 7)
    items, got, addresses = catalog("restart"), Counter[str](), service.stack.addresses
    some = asyncio.Event()

    async def iterate(job: AsyncJob) -> None:
        async for item in job.items(120):
            got[item.custom_id] += 1
            some.set()

    def blocking(job_id: str) -> Counter[str]:
        with Imagemill(str(addresses.url), str(addresses.api_key), max_retries=20) as made:
            job = made.jobs.get(job_id)
            found = Counter(item.custom_id for item in job.items(120))
            job.download(tmp_path / "blocking", "{custom_id}.{ext}", timeout=120)
            return found

    async with client(service) as made, slowly(service):
        await service.stack.kill("api")
        submitting = asyncio.create_task(made.jobs.submit(items=items, budget="9.00", defaults=SETTINGS))
        await service.stack.start_part("api")
        job = await submitting
        other = await made.jobs.get(job.id)
        tasks = [
            asyncio.create_task(iterate(job)),
            asyncio.create_task(job.wait(120)),
            asyncio.create_task(other.download(tmp_path / "images", "{custom_id}.{ext}", timeout=120)),
        ]
        threaded = asyncio.create_task(asyncio.to_thread(blocking, job.id))
        await some.wait()
        await kill(service)
        await asyncio.gather(*tasks)

        assert job.state == "completed"
        assert got == await threaded == {item["custom_id"]: 1 for item in items}
        await check_files(job, items, tmp_path / "images", tmp_path / "blocking")
    assert await bought(service, items) == {1: ITEMS}


async def check_files(job: AsyncJob, items: list[NewItem], *folders: Path) -> None:
    """Each folder has the picture of each prompt."""
    prompts = {item["custom_id"]: item["prompt"] for item in items}
    for folder in folders:
        files = await asyncio.to_thread(read_all, folder)
        assert files.keys() == prompts.keys()
        async for item in job.results():
            check_picture(files[item.custom_id], item.images[0].model_dump(), prompts[item.custom_id], 0)


@pytest.mark.parametrize("page", ["docs/howto/python-client.md", "client/README.md"])
def test_what_the_page_shows_runs(service: Service, page: str, tmp_path: Path) -> None:
    """All marked blocks of a page, as one program."""
    text = (DOCS.parent / page).read_text()
    blocks = re.findall(r"<!-- run -->\n```python\n(.*?)```", text, re.DOTALL)
    assert blocks, f"{page} marks no block to be run"
    (tmp_path / "catalog.csv").write_text("Handle,Title\nchair,A red chair\nlamp,A brass lamp\n")
    (tmp_path / "program.py").write_text("\n".join(blocks))
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(DOCS.parent / "client"),
        "IMAGEMILL_URL": str(service.stack.addresses.url),
        "IMAGEMILL_API_KEY": str(service.stack.addresses.api_key),
    }
    ran = subprocess.run(
        [sys.executable, "-W", "error", "program.py"],
        cwd=tmp_path,
        env=settings,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert list((tmp_path / "images").rglob("*.*")), "it downloads its pictures"
