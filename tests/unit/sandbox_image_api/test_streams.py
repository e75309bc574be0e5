"""Streamed answers, as the official client reads them."""

import base64
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx2
import openai
import pytest
from openai.types import ImageGenCompletedEvent, ImageGenPartialImageEvent
from openai.types.image_gen_stream_event import ImageGenStreamEvent
from PIL import Image

from sandbox.image_api import pattern
from tests.unit.sandbox_image_api.sandbox import Sandbox, until

pytestmark = pytest.mark.sockets


async def stream(sandbox: Sandbox, prompt: str, **fields: Any) -> Sequence[ImageGenStreamEvent]:
    async with sandbox.client() as client:
        events: AsyncIterator[ImageGenStreamEvent] = await client.images.generate(
            prompt=prompt, model="gpt-image-2.5-flare", quality="low", stream=True, **fields
        )
        return [event async for event in events]


async def test_partial_images_come_before_the_whole_one(sandbox: Sandbox) -> None:
    *partial, whole = await stream(sandbox, "in parts", partial_images=3, output_format="webp")
    indices = []
    for event in partial:
        assert isinstance(event, ImageGenPartialImageEvent)
        assert Image.open(io.BytesIO(base64.b64decode(event.b64_json))).size == (1024, 1024)
        indices.append(event.partial_image_index)
    assert indices == [0, 1, 2]
    assert isinstance(whole, ImageGenCompletedEvent)
    assert (whole.size, whole.quality, whole.output_format) == ("1024x1024", "low", "webp")
    assert pattern.read(base64.b64decode(whole.b64_json)) == pattern.of("in parts")
    assert whole.usage.output_tokens == 196 + 3 * 100
    (entry,) = sandbox.billed("in parts")
    assert (entry["output_tokens"], entry["billed_nano"]) == (
        (whole.usage.output_tokens, whole.usage.input_tokens * 5_000 + 496 * 30_000)
    )
    until(lambda: sandbox.outcomes("in parts") == ["answered"])


async def test_each_image_is_completed_and_the_usages_add_up(sandbox: Sandbox) -> None:
    whole = await stream(sandbox, "three", n=3)
    images = []
    for event in whole:
        assert isinstance(event, ImageGenCompletedEvent)
        images.append(pattern.read(base64.b64decode(event.b64_json)))
    assert images == [pattern.of("three", number) for number in range(3)]
    (entry,) = sandbox.billed("three")
    said = [event.usage for event in whole if isinstance(event, ImageGenCompletedEvent)]
    assert sum(usage.output_tokens for usage in said) == entry["output_tokens"] == 3 * 196
    assert sum(usage.input_tokens for usage in said) == entry["input_tokens"]


async def test_the_effective_identifier_is_said(sandbox: Sandbox) -> None:
    (whole,) = await stream(sandbox, "who", safety_identifier="", user="somebody")
    assert isinstance(whole, ImageGenCompletedEvent)
    assert whole.safety_identifier == "somebody"
    assert sandbox.generate("who", safety_identifier="me").json()["safety_identifier"] == "me"
    assert "safety_identifier" not in sandbox.generate("nobody").json()


def test_events_are_events(sandbox: Sandbox) -> None:
    answer = sandbox.generate("raw", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in answer.headers
    name, data, *rest = answer.text.splitlines()
    assert name == "event: image_generation.completed"
    assert json.loads(data.removeprefix("data: "))["type"] == "image_generation.completed"
    assert rest == [""]


async def test_an_error_can_end_a_stream(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "stream_error"})
    with pytest.raises(openai.APIError):
        await stream(sandbox, "broken off", n=2, partial_images=1)
    until(lambda: sandbox.outcomes("broken off") == ["error_500"])
    assert sandbox.generate("not streamed").status_code == 200


async def test_a_stream_can_be_empty(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "empty_data"})
    assert await stream(sandbox, "nothing") == []


async def test_a_stream_can_be_cut(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "truncate"})
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        await stream(sandbox, "cut stream")
    until(lambda: sandbox.outcomes("cut stream") == ["truncated"])


async def test_a_refused_stream_is_refused_at_once(sandbox: Sandbox) -> None:
    with pytest.raises(openai.BadRequestError):
        await stream(sandbox, "forbidden-output in a stream")


def test_who_leaves_a_stream_has_paid(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "drip", "seconds": 60})
    body = {"prompt": "left", "model": "gpt-image-2.5-flare", "quality": "low", "stream": True}
    with sandbox.http.stream("POST", "/v1/images/generations", json=body) as answer:
        assert next(answer.iter_raw()).startswith(b"event: image_generation.completed")
    until(lambda: sandbox.outcomes("left") == ["disconnected"])
