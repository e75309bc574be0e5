import base64
import json
from pathlib import Path
from typing import Any

import jsonschema
import openai
import pytest

from sandbox.image_api import pattern
from tests.unit.sandbox_image_api.sandbox import KEY, Sandbox

pytestmark = pytest.mark.sockets

DESCRIPTION = Path(__file__).parents[4] / "shared" / "data" / "openai-openapi-subset.json"
# What the description is behind on: free sizes and two qualities came with newer models, and the
# official client, which is newer, knows them.
LAGGING = ("size", "quality")


def _modern(schema: Any) -> Any:
    """The description says `nullable` where JSON Schema has a type."""
    if isinstance(schema, list):
        return [_modern(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {name: _modern(part) for name, part in schema.items() if name != "nullable"}
    return {"anyOf": [rest, {"type": "null"}]} if schema.get("nullable") is True else rest


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    if not DESCRIPTION.exists():
        pytest.skip("the provider's description of its API is not on this machine")
    loaded: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    return loaded


def _check(description: dict[str, Any], name: str, value: Any, *, lagging: bool = False) -> None:
    components = _modern(description["components"])
    if lagging:
        for field in LAGGING:
            components["schemas"][name]["properties"][field].pop("enum")
    schema = {"$ref": f"#/components/schemas/{name}", "components": components}
    jsonschema.Draft202012Validator(schema).validate(value)


async def test_the_official_client_gets_its_pictures(sandbox: Sandbox) -> None:
    prompt = "Un gato en la ventana, acuarela — ¡qué bonito!"
    async with sandbox.client() as client:
        answer = await client.images.generate(
            prompt=prompt,
            model="gpt-image-2.5-flare",
            n=2,
            quality="max",
            size="1024x640",
            output_format="webp",
        )
    assert answer.data is not None
    images = [base64.b64decode(image.b64_json or "") for image in answer.data]
    assert [pattern.read(image) for image in images] == [pattern.of(prompt, 0), pattern.of(prompt, 1)]
    assert (answer.quality, answer.size, answer.output_format, answer.background) == (
        ("max", "1024x640", "webp", "opaque")
    )
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    billed = sandbox.billed(prompt)
    assert [entry["billed_nano"] for entry in billed] == [
        answer.usage.input_tokens * 5_000 + answer.usage.output_tokens * 30_000
    ]
    assert billed[0]["n"] == 2
    assert sandbox.outcomes(prompt) == ["answered"]


def test_answers_fit_the_description(sandbox: Sandbox, description: dict[str, Any]) -> None:
    older = sandbox.generate("described", model="gpt-image-1.5")
    _check(description, "ImagesResponse", older.json())
    transparent = sandbox.generate("described", background="transparent", output_format="webp")
    _check(description, "ImagesResponse", transparent.json())


def test_newer_answers_fit_the_description_but_for_its_lag(
    sandbox: Sandbox, description: dict[str, Any]
) -> None:
    newer = sandbox.generate("described", model="gpt-image-2.5-flare", quality="xhigh", size="816x816")
    with pytest.raises(jsonschema.ValidationError):
        _check(description, "ImagesResponse", newer.json())
    _check(description, "ImagesResponse", newer.json(), lagging=True)


def test_refusals_fit_the_description(sandbox: Sandbox, description: dict[str, Any]) -> None:
    refusals = [
        sandbox.generate("x", n=11),
        sandbox.generate("x", model="dall-e-3"),
        sandbox.generate("forbidden-input"),
        sandbox.http.get("/v1/models", headers={"authorization": "Bearer wrong"}),
        sandbox.http.get("/v1/nothing"),
        sandbox.http.get("/v1/images/generations"),
        sandbox.http.post("/v1/images/generations", content=b"{"),
        sandbox.http.post("/v1/images/generations", content=b'{"\\ud800": 1}'),
    ]
    assert [answer.status_code for answer in refusals] == [400, 404, 400, 401, 404, 405, 400, 400]
    for answer in refusals:
        _check(description, "ErrorResponse", answer.json())


def test_models_fit_the_description(sandbox: Sandbox, description: dict[str, Any]) -> None:
    models = sandbox.http.get("/v1/models").json()
    _check(description, "ListModelsResponse", models)
    assert "gpt-image-2.6-sunburst" in {model["id"] for model in models["data"]}


async def test_one_model(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        assert (await client.models.retrieve("gpt-image-2")).id == "gpt-image-2"
        with pytest.raises(openai.NotFoundError) as refusal:
            await client.models.retrieve("dall-e-2")
    assert refusal.value.code == "model_not_found"


async def test_a_wrong_key(sandbox: Sandbox) -> None:
    async with sandbox.client(key="wrong") as client:
        with pytest.raises(openai.AuthenticationError) as refusal:
            await client.images.generate(prompt="a wrong key", model="gpt-image-2")
    assert refusal.value.code == "invalid_api_key"
    assert not sandbox.billed("a wrong key")


def test_every_answer_has_a_request_id(sandbox: Sandbox) -> None:
    answers = [
        sandbox.generate("request ids"),
        sandbox.generate("x", n=0),
        sandbox.http.get("/v1/models"),
        sandbox.http.get("/nowhere"),
    ]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == len(ids)
    assert sandbox.billed("request ids")[0]["request_id"] == ids[0]


async def test_moderation_at_the_input_is_free(sandbox: Sandbox) -> None:
    prompt = "something forbidden-input here"
    async with sandbox.client() as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.images.generate(prompt=prompt, model="gpt-image-2")
    _assert_blocked(refusal.value, "input")
    assert not sandbox.billed(prompt)


async def test_moderation_at_the_output_is_billed(sandbox: Sandbox) -> None:
    prompt = "something forbidden-output here"
    async with sandbox.client() as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.images.generate(prompt=prompt, model="gpt-image-2")
    _assert_blocked(refusal.value, "output")
    assert len(sandbox.billed(prompt)) == 1
    assert sandbox.outcomes(prompt) == ["moderation_blocked"]


def _assert_blocked(error: openai.APIStatusError, stage: str) -> None:
    assert isinstance(error.body, dict)
    assert (error.code, error.type) == ("moderation_blocked", "image_generation_user_error")
    assert error.body["moderation_details"]["moderation_stage"] == stage
    assert error.body["moderation_details"]["categories"]


def test_the_limit_of_images_a_minute(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "ledger.jsonl", "--images-per-minute", "2")
    answers = [sandbox.generate("limited", n=n) for n in (2, 1, 3)]
    sandbox.stop()
    assert [answer.status_code for answer in answers] == [200, 429, 429]
    assert answers[0].headers["x-ratelimit-limit-input-images"] == "2"
    assert int(answers[1].headers["retry-after-ms"]) > 25_000


def test_the_sandbox_listens_where_it_says(sandbox: Sandbox) -> None:
    assert sandbox.greeting.startswith("image API sandbox listening on http://127.0.0.1:")
    assert sandbox.http.get("/v1/models", headers={"authorization": f"bearer {KEY}"}).status_code == 200
