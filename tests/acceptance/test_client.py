"""The Python client while the service is killed and started again under it."""

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from imagemill_client import AsyncImagemill, AsyncJob, Imagemill, Job
from imagemill_client._core import items as core_items
from imagemill_client.params import ImageSettings, NewItem
from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Service, check_picture
from tests.pages import DOCS

ITEMS = 40
SETTINGS: ImageSettings = {"model": "gpt-image-2.5-flare", "size": "816x816", "quality": "low"}


@pytest.fixture(scope="module")
async def slow(tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient) -> AsyncIterator[Service]:
    """A stack whose calls take half a second, so that a job goes on while the API is away."""
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("restarts"),
        speed=0.04,
        extra_env=QUICK | {"IMAGEMILL_WORK_IMAGES_AT_ONCE": "4"},
    )
    async with LocalStack(options) as stack:
        yield Service(stack, http)


def catalog(word: str) -> list[NewItem]:
    return [{"custom_id": f"{word}-{n}", "prompt": f"A bowl, {word} {n}"} for n in range(ITEMS)]


async def kill(service: Service) -> None:
    """Kill the API, and leave it dead for as long as it takes to start again."""
    await service.stack.kill("api")
    await service.stack.start_part("api")


@asynccontextmanager
async def client(service: Service) -> AsyncIterator[AsyncImagemill]:
    addresses = service.stack.addresses
    async with AsyncImagemill(str(addresses.url), str(addresses.api_key)) as made:
        yield made


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.iterdir()}


async def bought(service: Service, items: list[NewItem]) -> Counter[int]:
    """How often the provider was paid for each picture."""
    ledger = await service.ledger(*[item["prompt"] for item in items])
    return Counter(ledger["calls"].values())


async def test_a_submission_outlasts_the_services_death_and_is_one_job(slow: Service) -> None:
    """Some of a hundred callers are answered before the service dies, and some only after."""
    items = catalog("submit")[:2]
    first = asyncio.Event()

    async def submit(client: AsyncImagemill) -> AsyncJob:
        job = await client.jobs.submit(
            items=items, budget="1.00", defaults=SETTINGS, idempotency_key="dies-meanwhile"
        )
        first.set()
        return job

    async with client(slow) as made:
        callers = [asyncio.create_task(submit(made)) for _ in range(30)]
        await first.wait()
        late = [asyncio.create_task(submit(made)) for _ in range(5)]
        await kill(slow)
        jobs = await asyncio.gather(*callers, *late)
        await jobs[0].wait(60)

    assert len({job.id for job in jobs}) == 1
    assert jobs[0].state == "completed"
    assert await bought(slow, items) == {1: 2}


async def test_a_key_of_the_clients_own_outlasts_the_services_death(slow: Service) -> None:
    """The service is dead when the submission is first sent."""
    items = catalog("own key")[:2]
    async with client(slow) as made:
        await slow.stack.kill("api")
        submitting = asyncio.create_task(made.jobs.submit(items=items, budget="1.00", defaults=SETTINGS))
        await slow.stack.start_part("api")
        job = await submitting
        await job.wait(60)
        listed = [line.id async for line in made.jobs.list(page_size=2)]

    assert listed.count(job.id) <= 1
    assert await bought(slow, items) == {1: 2}


async def test_each_item_comes_once_and_each_picture_is_whole_though_the_service_dies_twice(
    slow: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One waits, one iterates, one downloads, while the service dies, and dies again."""
    monkeypatch.setattr(core_items, "PAGE", 7)
    items, got = catalog("restart"), Counter[str]()
    some = asyncio.Event()

    async def iterate(job: AsyncJob) -> None:
        async for item in job.items(120):
            got[item.custom_id] += 1
            some.set()

    async with client(slow) as made:
        job = await made.jobs.submit(items=items, budget="9.00", defaults=SETTINGS)
        other = await made.jobs.get(job.id)
        tasks = [
            asyncio.create_task(iterate(job)),
            asyncio.create_task(job.wait(120)),
            asyncio.create_task(other.download(tmp_path, "{custom_id}.{ext}", timeout=120)),
        ]
        await some.wait()
        await kill(slow)
        await kill(slow)
        await asyncio.gather(*tasks)

        assert job.state == "completed"
        assert got == {item["custom_id"]: 1 for item in items}
        prompts = {item["custom_id"]: item["prompt"] for item in items}
        files = await asyncio.to_thread(read_all, tmp_path)
        assert files.keys() == prompts.keys()
        async for item in job.results():
            check_picture(files[item.custom_id], item.images[0].model_dump(), prompts[item.custom_id], 0)
    assert await bought(slow, items) == {1: ITEMS}


async def test_the_blocking_client_outlasts_it_too(slow: Service, tmp_path: Path) -> None:
    items = catalog("blocking")
    addresses = slow.stack.addresses
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def program() -> tuple[Job, Counter[str], int]:
        with Imagemill(str(addresses.url), str(addresses.api_key)) as made:
            job = made.jobs.submit(items=items, budget="9.00", defaults=SETTINGS)
            got = Counter[str]()
            for item in job.items(120):
                got[item.custom_id] += 1
                loop.call_soon_threadsafe(begun.set)
            done = job.download(tmp_path)
            return job.wait(60), got, len(done)

    running = asyncio.create_task(asyncio.to_thread(program))
    await begun.wait()
    await kill(slow)
    job, got, files = await running

    assert job.state == "completed"
    assert got == {item["custom_id"]: 1 for item in items}
    assert files == ITEMS
    assert await bought(slow, items) == {1: ITEMS}


@pytest.mark.parametrize("page", ["docs/howto/python-client.md", "client/README.md"])
def test_what_the_page_shows_runs(slow: Service, page: str, tmp_path: Path) -> None:
    """All marked blocks of a page, as one program."""
    text = (DOCS.parent / page).read_text()
    blocks = re.findall(r"<!-- run -->\n```python\n(.*?)```", text, re.DOTALL)
    assert blocks, f"{page} marks no block to be run"
    (tmp_path / "catalog.csv").write_text("Handle,Title\nchair,A red chair\nlamp,A brass lamp\n")
    (tmp_path / "program.py").write_text("\n".join(blocks))
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(DOCS.parent / "client"),
        "IMAGEMILL_URL": str(slow.stack.addresses.url),
        "IMAGEMILL_API_KEY": str(slow.stack.addresses.api_key),
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
