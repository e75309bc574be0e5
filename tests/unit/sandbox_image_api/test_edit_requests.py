"""Edits over HTTP: as a form, as JSON, and by the official client."""

import base64
import json
from hashlib import sha256
from typing import Any

import httpx2
import openai
import pytest
from PIL import Image

from sandbox.image_api import pattern
from tests.unit.sandbox_image_api.files import encoded, mask, photo
from tests.unit.sandbox_image_api.sandbox import Sandbox

pytestmark = pytest.mark.sockets

PNG, OTHER, MASK = encoded(photo()), encoded(photo(seed=1)), encoded(mask())
FILE = ("image", ("a.png", PNG, "image/png"))


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def send(sandbox: Sandbox, **fields: Any) -> httpx2.Response:
    body = {
        "model": "gpt-image-2.5-flare",
        "quality": "low",
        "images": [{"image_url": data_url(PNG)}],
        **fields,
    }
    return sandbox.http.post("/v1/images/edits", json=body)


async def test_the_official_client_edits(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        answer = await client.images.edit(
            prompt="edited",
            model="gpt-image-2.5-flare",
            image=[("a.png", PNG, "image/png"), ("b.png", OTHER, "image/png")],
            n=2,
            quality="low",
            size="1024x1024",
        )
    assert answer.data is not None
    images = [base64.b64decode(image.b64_json or "") for image in answer.data]
    assert [pattern.read(image) for image in images] == [pattern.of("edited", 0), pattern.of("edited", 1)]
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.image_tokens == 600
    (entry,) = sandbox.billed("edited")
    assert (entry["endpoint"], entry["image_tokens"], entry["input_tokens"]) == (
        ("edits", 600, answer.usage.input_tokens)
    )
    assert entry["inputs"] == [sha256(PNG).hexdigest(), sha256(OTHER).hexdigest()]
    assert entry["billed_nano"] == (
        answer.usage.input_tokens_details.text_tokens * 5_000 + 600 * 8_000 + 2 * 196 * 30_000
    )
    assert sandbox.outcomes("edited") == ["answered"]


async def test_the_official_client_sends_a_mask(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.images.edit(
            prompt="masked",
            model="gpt-image-2",
            quality="low",
            image=("a.png", PNG, "image/png"),
            mask=("mask.png", MASK, "image/png"),
        )
    (entry,) = sandbox.billed("masked")
    assert (entry["mask"], entry["markup"]) == (sha256(MASK).hexdigest(), None)


async def test_a_file_without_a_type_is_refused(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.images.edit(prompt="x", model="gpt-image-2", image=[PNG, PNG])
    assert (refusal.value.code, refusal.value.param) == ("unsupported_file_mimetype", "image[0]")


def test_both_forms_draw_the_same(sandbox: Sandbox) -> None:
    form = sandbox.edit("same", [FILE], n="1", background="opaque", moderation="low").json()
    spelled = send(sandbox, prompt="same", n=1).json()
    assert form["data"] == spelled["data"]
    assert form["usage"] == spelled["usage"]


@pytest.mark.parametrize(
    ("files", "fields", "param"),
    [
        ([("mask", ("m.png", MASK, "image/png"))], {}, "image"),
        ([FILE], {"prompt": ""}, "prompt"),
        ([FILE], {"n": "two"}, "n"),
        ([FILE], {"n": "11"}, "n"),
        ([FILE], {"n": "-1"}, "n"),
        ([FILE], {"stream": "maybe"}, "stream"),
        ([FILE], {"mask": "a text"}, "mask"),
        ([FILE], {"response_format": "url"}, "response_format"),
        ([FILE, ("photo", ("a.png", PNG, "image/png"))], {}, "photo"),
        ([FILE], {"quality": "xhigh", "model": "gpt-image-2"}, "quality"),
    ],
)
def test_forms_that_are_refused(
    sandbox: Sandbox, files: list[Any], fields: dict[str, str], param: str
) -> None:
    answer = sandbox.edit("x", files, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"images": None}, "images"),
        ({"images": []}, "images"),
        ({"images": [{}] * 17}, "images"),
        ({"images": ["x"]}, "images[0]"),
        ({"images": [{}]}, "images[0]"),
        ({"images": [{"image_url": "x", "file_id": "y"}]}, "images[0]"),
        ({"images": [{"file_id": "file-1"}]}, "images[0].file_id"),
        ({"images": [{"image_url": "https://example.com/a.png"}]}, "images[0].image_url"),
        ({"images": [{"image_url": "data:image/png;base64,%"}]}, "images[0].image_url"),
        ({"images": [{"image_url": "data:image/gif;base64,AAAA"}]}, "images[0]"),
        ({"mask": {"image_url": 5}}, "mask.image_url"),
        ({"image": "x"}, "image"),
        ({"stream": "true"}, "stream"),
    ],
)
def test_json_that_is_refused(sandbox: Sandbox, fields: dict[str, Any], param: str) -> None:
    answer = send(sandbox, prompt="x", **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"nothing of the kind"),
        ("multipart/form-data; boundary=x", b"--x\r\nno header\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\ncontent-type: a/b\r\n\r\ny\r\n--x--\r\n"),
        ("text/plain", b"x"),
        ("application/json", b"[1]"),
    ],
)
def test_bodies_that_are_neither(sandbox: Sandbox, content_type: str, body: bytes) -> None:
    answer = sandbox.http.post("/v1/images/edits", content=body, headers={"content-type": content_type})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_images_that_do_not_fit_the_memory_of_a_form(sandbox: Sandbox) -> None:
    large = encoded(Image.effect_noise((1400, 1100), 100))
    assert len(large) > 1024 * 1024
    answer = sandbox.edit("large", [("image", ("a.png", large, "image/png"))], n="2")
    assert len(answer.json()["data"]) == 2
    assert sandbox.billed("large")[0]["inputs"] == [sha256(large).hexdigest()]


def test_faults_can_be_for_one_endpoint(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "error_unbilled", "endpoint": "edits", "status": 503})
    assert sandbox.generate("either").status_code == 200
    assert sandbox.edit("either", [FILE]).status_code == 503


def test_events_of_an_edit(sandbox: Sandbox) -> None:
    answer = sandbox.edit("streamed edit", [FILE], stream="true", partial_images="1")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in events] == ["image_edit.partial_image", "image_edit.completed"]
    assert events[1]["usage"]["input_tokens_details"]["image_tokens"] == 300
