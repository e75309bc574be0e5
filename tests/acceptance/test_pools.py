"""Several provider accounts: which of them is paid, and what happens when one is in trouble."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Json, Prompts, Service, check_pictures, nano

POOLS = """
[pools.closed]
weight = 9
base_url = "{image_api}"
api_key_env = "CLOSED_KEY"
models = ["gpt-image-2.5-flare"]
groups.all.images_per_minute = "unlimited"

[pools.open]
base_url = "{image_api}"
api_key_env = "OPEN_KEY"
price_factor = "2"
groups.flare = {{ models = ["*-flare"], images_per_minute = "unlimited" }}
groups.others = {{ images_per_minute = "unlimited" }}

[aliases]
"gpt-image-1" = "gpt-image-2.5-flare"
"""


@pytest.fixture(scope="module")
async def pooled(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[Service]:
    """A stack with two pools at one provider; the key of the first is not valid."""
    folder = tmp_path_factory.mktemp("pools")
    file = folder / "pools.toml"
    backend = StackOptions(data_dir=folder / "data", parts={"temporal", "store", "image-api"}, speed=0.0)
    async with LocalStack(backend) as stack:
        file.write_text(POOLS.format(image_api=stack.addresses.image_api))
        key = stack.credentials.image_api_key
        ports = {"image-api": int(str(stack.addresses.image_api).rsplit(":", 1)[1].split("/")[0])}
    options = StackOptions(
        data_dir=folder / "data",
        speed=0.0,
        ports=ports,
        extra_env=QUICK | {"IMAGEMILL_POOLS_FILE": str(file), "CLOSED_KEY": "sk-not-valid", "OPEN_KEY": key},
    )
    async with LocalStack(options) as stack:
        yield Service(stack, http)


def items_of(word: str, count: int) -> tuple[Prompts, list[Json]]:
    prompts: Prompts = {(f"{word}-{n}", None): f"A lamp, {word} {n}" for n in range(count)}
    return prompts, [{"custom_id": key[0], "prompt": prompt} for key, prompt in prompts.items()]


async def test_a_job_fails_over_to_its_next_pool_and_pays_that_ones_price(pooled: Service) -> None:
    prompts, items = items_of("over", 12)
    job = await pooled.submit(items=items, pools=["closed", "open"])
    status = await pooled.finished(job)
    results = await pooled.results(job)
    billed = (await pooled.ledger(*prompts.values()))["nano"]
    assert status["state"] == "completed"
    assert nano(status["cost"]["settled_usd"]) == 2 * billed
    assert nano(status["cost"]["written_off_usd"]) == 0
    await check_pictures(pooled, results, prompts)


async def test_a_job_that_names_no_pool_takes_the_heaviest_and_is_held_with_it(pooled: Service) -> None:
    _, items = items_of("heavy", 3)
    job = await pooled.submit(items=items)
    status = await pooled.until(job, lambda status: status["state"] == "held")
    assert status["hold"]["code"] == "invalid_api_key"
    assert nano(status["cost"]["settled_usd"]) == 0
    await pooled.ask("POST", f"/v1/jobs/{job}/cancel")
    await pooled.finished(job)


async def test_each_limit_group_has_its_own_queue(pooled: Service) -> None:
    prompts, items = items_of("groups", 2)
    items[1]["model"] = "gpt-image-2"
    items[1]["size"] = "1024x1024"
    job = await pooled.submit(items=items, pools=["open"])
    assert (await pooled.finished(job))["state"] == "completed"
    await check_pictures(pooled, await pooled.results(job), prompts)


async def test_a_pool_that_is_not_there_or_does_not_serve_the_model_is_refused(pooled: Service) -> None:
    _, items = items_of("nowhere", 1)
    body: Json = {"defaults": {"model": "gpt-image-2"}, "items": items, "budget": {"limit_usd": "1.00"}}
    unknown = await pooled.ask("POST", "/v1/jobs", json=body | {"pools": ["nowhere", "open"]})
    unserved = await pooled.ask("POST", "/v1/jobs", json=body | {"pools": ["closed"]})
    assert unknown.status_code == unserved.status_code == 422
    assert unknown.json()["errors"][0]["pointer"] == "/pools/0"
    assert "closed, open" in unknown.json()["errors"][0]["detail"]
    assert unserved.json()["errors"][0]["pointer"] == "/pools"
    assert "gpt-image-2" in unserved.json()["errors"][0]["detail"]


async def test_a_model_with_an_alias_is_bought_under_it_and_the_item_says_so(pooled: Service) -> None:
    prompts, items = items_of("alias", 2)
    job = await pooled.submit(
        items=items, pools=["open"], defaults={"model": "gpt-image-1", "size": "1024x1024", "quality": "low"}
    )
    assert (await pooled.finished(job))["state"] == "completed"
    results = await pooled.results(job)
    assert {result["model"] for result in results} == {"gpt-image-2.5-flare"}
    assert all("instead_of:gpt-image-1" in result["warnings"] for result in results)
    await check_pictures(pooled, results, prompts)
