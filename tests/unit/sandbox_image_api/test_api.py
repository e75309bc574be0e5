import base64
from pathlib import Path

import openai
import pytest

from sandbox.image_api import pattern
from tests.unit.sandbox_image_api.sandbox import KEY, Sandbox

pytestmark = pytest.mark.sockets


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


def test_models_are_listed(sandbox: Sandbox) -> None:
    models = {model["id"] for model in sandbox.http.get("/v1/models").json()["data"]}
    assert "gpt-image-2.6-sunburst" in models
    assert not {"gpt-image-1", "dall-e-3"} & models


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
