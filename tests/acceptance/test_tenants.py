"""Two tenants of one service: neither sees the other, and their file counts while everything runs."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import SMALL, Json, Service, nano

ROOT = Path(__file__).resolve().parents[2]
FILE = """\
[tenants.acme]
weight = 2
buckets = ["delivery/images"]

[tenants.acme.caps]
day_usd = "50.00"

[tenants.beta]
requests_per_minute = 6000
pools = ["default"]
webhook_hosts = []

[tenants.beta.caps]
day_usd = "50.00"
month_usd = "500.00"
"""
TINY = "0.0001"


class Tenant(Service):
    """The service, as one of its tenants sees it."""

    def __init__(self, stack: LocalStack, http: httpx2.AsyncClient, key: str) -> None:
        super().__init__(stack, http)
        self.key = key
        self._headers = {"Authorization": f"Bearer {key}"}

    async def answers(self, status: int) -> None:
        """Wait until the key is taken like that."""
        async with asyncio.timeout(30):
            while True:
                if (await self.ask("GET", "/v1/usage")).status_code == status:
                    return
                await asyncio.sleep(0.1)


class Operator:
    """Who has the file of tenants."""

    def __init__(self, stack: LocalStack, http: httpx2.AsyncClient, file: Path) -> None:
        self.stack, self.http, self.file = stack, http, file

    def type(self, *words: str) -> str:
        """What a command about keys prints."""
        command = (sys.executable, "-m", "cli.main", "keys", *words, "--file", str(self.file))
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    async def tenant(self, name: str, *words: str) -> Tenant:
        """A tenant with a new key, once the service knows it."""
        found = Tenant(self.stack, self.http, self.type("create", "--tenant", name, *words))
        await found.answers(200)
        return found

    def change(self, old: str, new: str) -> None:
        """Change the file, where it says something once."""
        text = self.file.read_text()
        assert text.count(old) == 1
        self.file.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
async def operator(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[Operator]:
    """A stack with two tenants, who have no keys yet."""
    folder = tmp_path_factory.mktemp("tenants")
    file = folder / "tenants.toml"
    file.write_text(FILE)
    settings = QUICK | {"IMAGEMILL_TENANTS_FILE": str(file)}
    async with LocalStack(StackOptions(data_dir=folder / "data", speed=0.0, extra_env=settings)) as stack:
        yield Operator(stack, http, file)


@pytest.fixture(scope="module")
async def acme(operator: Operator) -> Tenant:
    return await operator.tenant("acme")


@pytest.fixture(scope="module")
async def beta(operator: Operator) -> Tenant:
    return await operator.tenant("beta")


def items_of(word: str, count: int, **more: object) -> list[Json]:
    return [{"custom_id": f"{word}-{n}", "prompt": f"A chair, {word} {n}"} | more for n in range(count)]


async def test_neither_sees_what_the_other_has(acme: Tenant, beta: Tenant) -> None:
    mine, theirs = await acme.submit(items=items_of("a", 3)), await beta.submit(items=items_of("b", 2))
    assert (await acme.finished(mine))["state"] == (await beta.finished(theirs))["state"] == "completed"
    nobodys = theirs[:-4] + ("0000" if theirs[-4:] != "0000" else "1111")

    for path in ("", "/items", "/results", "/report", "/report?items=true"):
        answers = [await acme.ask("GET", f"/v1/jobs/{job}{path}") for job in (theirs, nobodys)]
        assert answers[0].status_code == answers[1].status_code == 404
        assert answers[0].content.replace(theirs.encode(), nobodys.encode()) == answers[1].content
        names = [[name for name, _ in answer.headers.raw if name != b"date"] for answer in answers]
        assert names[0] == names[1]
    assert {job["id"] for job in (await acme.usage())["jobs"]} == {mine}
    assert {job["id"] for job in (await beta.usage())["jobs"]} == {theirs}
    assert nano((await acme.usage())["month"]["settled_usd"]) == nano(
        (await acme.status(mine))["cost"]["settled_usd"]
    )


async def test_the_key_of_the_settings_opens_its_own_tenant_beside_them(
    operator: Operator, acme: Tenant, http: httpx2.AsyncClient
) -> None:
    job = await acme.submit(items=items_of("beside", 1))
    default = Service(operator.stack, http)

    assert (await default.ask("GET", f"/v1/jobs/{job}")).status_code == 404
    assert (await default.usage())["tenant"] == "default"
    await acme.finished(job)


async def test_a_key_may_do_what_its_scopes_say_until_it_is_revoked(operator: Operator, acme: Tenant) -> None:
    reader = await operator.tenant("acme", "--scopes", "read", "--expires", "1d")
    job = await acme.submit(items=items_of("read", 1))

    assert (await reader.status(job))["id"] == job
    refused = await reader.ask("POST", f"/v1/jobs/{job}/cancel")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    assert "'submit'" in refused.json()["detail"]
    operator.type("revoke", reader.key.split("_")[1])
    await reader.answers(401)
    assert (await acme.finished(job))["state"] == "completed"


async def test_the_rate_is_told(beta: Tenant, acme: Tenant) -> None:
    limited, free = await beta.ask("GET", "/v1/usage"), await acme.ask("GET", "/v1/usage")

    assert limited.headers["ratelimit-policy"] == '"minute";q=6000;w=60, "burst";q=500;w=5'
    assert limited.headers["ratelimit"].startswith('"burst";r=4')
    assert "ratelimit" not in free.headers


async def test_caps_of_the_file_hold_jobs_and_let_them_go_on_without_a_restart(
    operator: Operator, beta: Tenant
) -> None:
    operator.change('day_usd = "50.00"\nmonth', f'day_usd = "{TINY}"\nmonth')
    job = await beta.submit(items=items_of("capped", 3))
    held = await beta.until(job, lambda status: status["state"] == "held")

    assert held["hold"]["code"] == "tenant_budget"
    assert (await beta.ledger("A chair, capped 0"))["nano"] == 0
    key = {"Authorization": f"Bearer {operator.stack.credentials.admin_key}"}
    put = await beta.ask("PUT", "/v1/tenants/beta/caps", json={"day_usd": "50.00"}, headers=key)
    assert (put.status_code, put.json()["type"]) == (409, "/problems/caps-in-file")
    operator.change(TINY, "50.00")
    assert (await beta.finished(job))["state"] == "completed"


async def test_a_lowered_cap_of_the_file_reaches_an_account_that_runs(
    operator: Operator, beta: Tenant
) -> None:
    """Nobody submits anything: the process that has the file tells the account."""
    await beta.finished(await beta.submit(items=items_of("before", 1)))
    operator.change('day_usd = "50.00"\nmonth', 'day_usd = "40.00"\nmonth')

    usage: Json = {}
    async with asyncio.timeout(30):
        while True:
            usage = await beta.usage()
            if usage["day"]["limit_usd"] == "40.00":
                break
            await asyncio.sleep(0.1)
    operator.change("40.00", "50.00")


async def test_a_tenant_s_buckets_hold_when_an_image_is_fetched(
    operator: Operator, acme: Tenant, beta: Tenant
) -> None:
    first = await acme.submit(items=items_of("source", 1))
    await acme.finished(first)
    [result] = await acme.results(first)
    edit = items_of("edit", 1, images=[f"s3://delivery/{result['images'][0]['key']}"])

    body = {"defaults": SMALL, "items": edit, "budget": {"limit_usd": "1.00"}}
    refused = await beta.ask("POST", "/v1/jobs", json=body)
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/items/0/images/0"]
    allowed = await acme.finished(await acme.submit(items=edit))
    assert allowed["state"] == "completed"

    acmes = '[tenants.acme.caps]\nday_usd = "{}"'
    operator.change(acmes.format("50.00"), acmes.format(TINY))
    job = await acme.submit(items=edit)
    await acme.until(job, lambda status: status["state"] == "held")
    operator.change('buckets = ["delivery/images"]', "buckets = []")
    operator.change(TINY, "50.00")
    await acme.finished(job)
    [result] = await acme.results(job)
    assert result["error"]["code"] == "input_bucket_not_allowed"
    assert nano(result["cost_usd"]) == 0


async def test_no_tenant_is_given_another_one_s_image(acme: Tenant, beta: Tenant) -> None:
    items = items_of("reused", 1)
    bought = await acme.finished(await acme.submit(items=items))
    theirs = await beta.finished(await beta.submit(items=items, reuse="tenant"))
    mine = await acme.finished(await acme.submit(items=items, reuse="tenant"))

    assert bought["state"] == theirs["state"] == mine["state"] == "completed"
    assert (theirs["items"]["reused"], mine["items"]["reused"]) == (0, 1)
    assert list((await acme.ledger(items[0]["prompt"]))["calls"].values()) == [2]
