"""A tenant is removed while its jobs run, or its table vanishes from the file."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import SMALL, Json, nano
from tests.acceptance.test_tenants import Operator, Tenant, items_of

CAPS = '[tenants.{0}.caps]\nday_usd = "50.00"\n'
FILE = "".join(f"[tenants.{name}]\n" + CAPS.format(name) + "\n" for name in ("acme", "beta"))
DAILY = {"cron": ["0 6 * * *"], "time_zone": "Europe/Berlin"}


@pytest.fixture(scope="module")
async def operator(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[Operator]:
    """A stack whose calls take half a second, a few at once."""
    folder = tmp_path_factory.mktemp("removed")
    file = folder / "tenants.toml"
    file.write_text(FILE)
    settings = QUICK | {"IMAGEMILL_TENANTS_FILE": str(file), "IMAGEMILL_WORK_IMAGES_AT_ONCE": "4"}
    async with LocalStack(
        StackOptions(data_dir=folder / "data", speed=0.04, extra_env=settings, start_timeout=90)
    ) as stack:
        yield Operator(stack, http, file)


async def all_bought(tenant: Tenant, items: list[Json]) -> None:
    """Until the provider has billed each of them."""
    prompts = [item["prompt"] for item in items]
    async with asyncio.timeout(60):
        while True:
            if len((await tenant.ledger(*prompts))["calls"]) == len(items):
                return
            await asyncio.sleep(0.2)


async def taken_again(tenant: Tenant, job: Json) -> str:
    """The id of a job that is accepted, once the file has been looked at."""
    async with asyncio.timeout(30):
        while True:
            answer = await tenant.ask("POST", "/v1/jobs", json=job)
            if answer.status_code == 202:
                return str(answer.json()["id"])
            assert answer.json()["type"] == "/problems/tenant-removed", answer.text
            await asyncio.sleep(0.1)


async def account_ends(operator: Operator, tenant: str) -> None:
    client = await Client.connect(operator.stack.addresses.temporal or "")
    async with asyncio.timeout(30):
        while True:
            described = await client.get_workflow_handle(f"account/{tenant}").describe()
            if described.status == WorkflowExecutionStatus.COMPLETED:
                return
            await asyncio.sleep(0.2)


async def test_a_removed_tenant_s_jobs_are_cancelled_and_nobody_else_s(operator: Operator) -> None:
    acme, beta = await operator.tenant("acme"), await operator.tenant("beta")
    items = items_of("leaves", 400)
    running = await acme.submit(items=items)
    held = await acme.submit(items=items_of("held", 3), budget={"limit_usd": "0.006"})
    paused = await acme.submit(items=items_of("paused", 20))
    await acme.ask("POST", f"/v1/jobs/{paused}/pause")
    body: Json = {
        "name": "daily",
        "spec": DAILY,
        "job": {"items": items, "defaults": SMALL, "budget": {"limit_usd": "1.00"}},
    }
    made = await acme.ask("POST", "/v1/schedules", json=body)
    assert made.status_code == 201, made.text
    stays = await beta.submit(items=items_of("stays", 12))
    await acme.until(running, lambda status: status["items"]["succeeded"] >= 3)
    await acme.until(held, lambda status: status["state"] == "held")

    operator.change("[tenants.acme]\n", "[tenants.acme]\nremoved = true\n")
    ended = [await acme.finished(job) for job in (running, held, paused)]
    refused = await acme.ask("POST", "/v1/jobs", json=body["job"])
    schedule = (await acme.ask("GET", f"/v1/schedules/{made.json()['id']}")).json()
    await account_ends(operator, "acme")

    assert [status["state"] for status in ended] == ["cancelled"] * 3
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/tenant-removed")
    assert schedule["state"] == "paused"
    assert nano((await acme.usage())["leased_usd"]) == 0
    kept = [each for each in await acme.results(running) if each["state"] == "succeeded"]
    ledger = await acme.ledger(*(item["prompt"] for item in items))
    assert len(kept) == sum(ledger["calls"].values()) < len(items)
    assert ledger["nano"] == nano(ended[0]["cost"]["settled_usd"])
    assert nano(ended[0]["cost"]["written_off_usd"]) == 0
    assert (await beta.finished(stays))["state"] == "completed"

    operator.change("removed = true\n", "")
    back = await taken_again(acme, body["job"] | {"items": items_of("back", 1)})
    assert (await acme.finished(back))["state"] == "completed"


async def test_a_table_that_vanishes_locks_its_keys_out_and_lets_its_job_end(operator: Operator) -> None:
    beta = await operator.tenant("beta")
    items = items_of("orphan", 16)
    job = await beta.submit(items=items)
    await beta.until(job, lambda status: status["items"]["succeeded"] >= 2)
    before = operator.file.read_text()
    operator.file.write_text("[tenants.acme]\n" + CAPS.format("acme"))
    await beta.answers(401)

    await all_bought(beta, items)
    operator.file.write_text(before)
    await beta.answers(200)
    status = await beta.finished(job)
    assert status["state"] == "completed"
    assert operator.stack.is_running("worker-1")
