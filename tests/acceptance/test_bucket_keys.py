"""Bucket keys that are taken back in mid-job: nothing is bought meanwhile, and nothing paid is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from sandbox.stack.credentials import Credentials
from sandbox.stack.directory import DataDirectory
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import SMALL, Service, check_pictures, nano
from tests.acceptance.test_kills import catalog

AT_ONCE = 4
KEYS = ("ACCESS_KEY", "SECRET_KEY")
CHAIN = {f"IMAGEMILL_{bucket}_{key}": "" for bucket in ("CONTROL", "DELIVERY") for key in KEYS}
"""Without keys of its own the service asks boto3's chain, which knows the file."""


ANOTHER = {
    "items": [{"custom_id": "a", "prompt": "A vase"}],
    "defaults": SMALL,
    "budget": {"limit_usd": "1.00"},
}


def refusals(service: Service) -> int:
    """How often the worker has said that the store does not take a paid image."""
    return service.stack.log("worker-1").read_text().count("paid images wait")


class Mounted:
    """The file that the keys are in, as a secret that is mounted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def say(self, access_key: str, secret_key: str) -> None:
        lines = "[default]", f"aws_access_key_id = {access_key}", f"aws_secret_access_key = {secret_key}"
        self.path.write_text("\n".join(lines) + "\n")


@pytest.fixture
async def rotated(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[tuple[Service, Mounted]]:
    """A stack whose API and worker find the keys of the buckets in a file."""
    folder = tmp_path_factory.mktemp("keys")
    home = DataDirectory(folder / "data")
    home.root.mkdir(mode=0o700)
    first = Credentials.load_or_create(home.credentials)
    file = Mounted(folder / "credentials")
    file.say(first.store_access_key, first.store_secret_key)
    settings = QUICK | CHAIN | {"AWS_SHARED_CREDENTIALS_FILE": str(file.path)}
    options = StackOptions(
        data_dir=home.root,
        start_timeout=90,
        speed=0.04,
        extra_env=settings | {"IMAGEMILL_WORK_IMAGES_AT_ONCE": str(AT_ONCE)},
    )
    async with LocalStack(options) as stack:
        yield Service(stack, http), file


async def test_keys_that_are_taken_back_hold_the_job_and_new_ones_let_it_go_on(
    rotated: tuple[Service, Mounted],
) -> None:
    service, file = rotated
    prompts, items = catalog("keys")
    texts = list(prompts.values())
    job = await service.submit(items=items)
    await service.until(job, lambda status: status["items"]["succeeded"] >= 5)

    await service.stack.change_store_keys("ANOTHERACCESSKEY0001", "another-secret-of-the-store")
    held = await service.until(job, lambda status: status.get("hold") is not None)
    bought, tries = (await service.ledger(*texts))["nano"], refusals(service)
    ready = await service.ask("GET", "/readyz")
    refused = await service.ask("POST", "/v1/jobs", json=ANOTHER)
    await service.until(job, lambda _: refusals(service) >= tries + 2 * AT_ONCE)
    still = (await service.ledger(*texts))["nano"]

    assert held["hold"]["code"] == "store_refused"
    assert still == bought
    assert (ready.status_code, ready.json()["store"]) == (503, "refused")
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")
    file.say("ANOTHERACCESSKEY0001", "another-secret-of-the-store")
    status = await service.finished(job)
    results = await service.results(job)
    assert status["state"] == "completed"
    assert nano(status["cost"]["written_off_usd"]) == 0
    assert set((await service.ledger(*texts))["calls"].values()) == {1}
    await check_pictures(service, results, prompts)
