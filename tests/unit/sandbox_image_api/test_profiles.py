"""Compatible providers, each as its own server."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from sandbox.image_api import catalog, order, pattern
from sandbox.image_api.errors import ApiError
from sandbox.image_api.profiles import PROFILES
from tests.unit.sandbox_image_api.sandbox import KEY, Sandbox

sockets = pytest.mark.sockets
CATALOG = catalog.load()
DEPLOYMENT = "/openai/deployments/gpt-image-2/images/generations"
VERSION = {"api-version": "2025-04-01-preview"}


@pytest.fixture
def like(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path / "ledger.jsonl", "--profile", request.param)
    yield sandbox
    sandbox.stop()


def profiled(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("like", [name], indirect=True)


def deploy(sandbox: Sandbox, path: str = DEPLOYMENT, **options: Any) -> httpx2.Response:
    options = {"params": VERSION, "headers": {"authorization": "", "api-key": KEY}, **options}
    return sandbox.http.post(path, json={"prompt": "deployed", "quality": "low"}, **options)


@sockets
@profiled("azure")
async def test_azure(like: Sandbox) -> None:
    assert deploy(like).json()["usage"]["output_tokens"] == 196
    assert like.billed("deployed")[0]["model"] == "gpt-image-2"
    refused = {
        "bearer": deploy(like, headers={"authorization": f"Bearer {KEY}"}),
        "no version": deploy(like, params={}),
        "no deployment": deploy(like, DEPLOYMENT.replace("gpt-image-2", "mine")),
        "other path": deploy(like, "/v1/images/generations"),
    }
    codes = {name: (answer.status_code, answer.json()["error"]["code"]) for name, answer in refused.items()}
    assert codes == {
        "bearer": (401, "401"),
        "no version": (404, "404"),
        "no deployment": (404, "DeploymentNotFound"),
        "other path": (404, None),
    }
    async with openai.AsyncAzureOpenAI(
        api_key=KEY, api_version=VERSION["api-version"], azure_endpoint=like.url, max_retries=0
    ) as client:
        answer = await client.images.generate(prompt="by the client", model="gpt-image-2.5-flare", n=2)
    assert answer.data is not None
    assert len(answer.data) == 2


@sockets
@profiled("url-only")
def test_url_only(like: Sandbox) -> None:
    (image,) = like.generate("by address").json()["data"]
    assert set(image) == {"url"}
    assert pattern.read(httpx2.get(image["url"], trust_env=False).content) == pattern.of("by address")


@sockets
@profiled("zero-usage")
def test_zero_usage(like: Sandbox) -> None:
    usage = like.generate("x").json()["usage"]
    assert (usage["total_tokens"], usage["input_tokens_details"]["text_tokens"]) == (0, 0)


@sockets
@profiled("no-usage")
def test_no_usage(like: Sandbox) -> None:
    assert "usage" not in like.generate("x").json()
    assert like.billed("x")[0]["billed_nano"] > 0


@sockets
@profiled("async-task")
def test_async_task(like: Sandbox) -> None:
    assert set(like.generate("x").json()) == {"task_id", "status"}


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"aspect_ratio": "3:2"}, "1536x1024"),
        ({"aspect_ratio": "16:9"}, "1536x864"),
        ({"aspect_ratio": "auto"}, "1024x1024"),
        ({}, "1024x1024"),
    ],
)
def test_no_size_takes_an_aspect_ratio(fields: dict[str, str], size: str) -> None:
    body = {"prompt": "x", "model": "gpt-image-2", **fields}
    assert order.read(body, CATALOG, PROFILES["no-size"]).size == size


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"size": "1024x1024"}, "size"),
        ({"aspect_ratio": "7:1"}, "aspect_ratio"),
        ({"aspect_ratio": "16:9", "model": "gpt-image-1.5"}, "aspect_ratio"),
    ],
)
def test_no_size_refuses_a_size(fields: dict[str, str], param: str) -> None:
    with pytest.raises(ApiError) as refusal:
        order.read({"prompt": "x", "model": "gpt-image-2", **fields}, CATALOG, PROFILES["no-size"])
    assert (refusal.value.status, refusal.value.param) == (400, param)


def test_models_retire_by_their_date() -> None:
    before, after = CATALOG.on(date(2026, 11, 30)), CATALOG.on(date(2026, 12, 1))
    assert "gpt-image-1.5" in before.models
    assert "gpt-image-1" not in before.models
    assert after.retired["gpt-image-1.5"] == "2026-12-01"
    with pytest.raises(ApiError, match="shut down on 2026-12-01") as refusal:
        order.read({"prompt": "x", "model": "gpt-image-1.5"}, after)
    assert (refusal.value.status, refusal.value.code) == (404, "model_not_found")


def test_a_provider_may_serve_models_beyond_their_date() -> None:
    kept = CATALOG.on(date(2027, 1, 1), {"gpt-image-1", "gpt-image-1.5"})
    made = order.read({"prompt": "x", "model": "gpt-image-1", "quality": "low"}, kept)
    assert made.cost_nano == 7 * 5_000 + 272 * 40_000
    assert "gpt-image-1-mini" not in kept.models
    assert "dall-e-3" not in CATALOG.on(date(2026, 1, 1), {"dall-e-3"}).models


@sockets
def test_a_tier_and_a_model_beyond_its_date(tmp_path: Path) -> None:
    options = ("--tier", "1", "--images-per-minute", "7", "--serves", "gpt-image-1", "--no-limit-headers")
    sandbox = Sandbox(tmp_path / "ledger.jsonl", *options)
    limits = sandbox.http.get("/_sandbox/limits").json()
    answer = sandbox.generate("kept", model="gpt-image-1")
    sandbox.stop()
    assert limits == {"images_per_minute": 7, "tokens_per_minute": 100_000}
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
