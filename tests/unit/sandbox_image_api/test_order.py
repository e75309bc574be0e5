from typing import Any

import pytest

from sandbox.image_api import catalog, order
from sandbox.image_api.errors import ApiError

CATALOG = catalog.load()


def read(**fields: Any) -> order.Order:
    return order.read({"prompt": "a vase", "model": "gpt-image-2.5-flare", **fields}, CATALOG)


def test_defaults() -> None:
    made = read(size=None, n=None)
    assert (made.n, made.size, made.quality, made.output_format) == (1, "1024x1024", "medium", "png")
    assert not made.transparent


LEGAL_SIZES = [
    "1024x640",
    "640x1024",
    "3840x2160",
    "2160x3840",
    "2880x2880",
    "1408x480",
    "3840x1280",
    "816x816",
]


@pytest.mark.parametrize("size", LEGAL_SIZES)
def test_legal_sizes(size: str) -> None:
    assert read(size=size).size == size


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": ""}, "prompt", "invalid_value"),
        ({"prompt": "x" * 32_001}, "prompt", "invalid_value"),
        ({"prompt": "half a \ud83d"}, "prompt", "invalid_value"),
        ({"prompt": 7}, "prompt", "invalid_type"),
        ({"model": None}, "model", "missing_required_parameter"),
        ({"n": 0}, "n", "invalid_value"),
        ({"n": 11}, "n", "invalid_value"),
        ({"n": "2"}, "n", "invalid_type"),
        ({"n": True}, "n", "invalid_type"),
        ({"size": "1000x1000"}, "size", "invalid_value"),
        ({"size": "800x800"}, "size", "invalid_value"),
        ({"size": "3856x1600"}, "size", "invalid_value"),
        ({"size": "2896x2880"}, "size", "invalid_value"),
        ({"size": "1536x496"}, "size", "invalid_value"),
        ({"size": "big"}, "size", "invalid_value"),
        ({"size": "-1024x1024"}, "size", "invalid_value"),
        ({"model": "gpt-image-1.5", "size": "1536x864"}, "size", "invalid_value"),
        ({"quality": "hd"}, "quality", "invalid_value"),
        ({"model": "gpt-image-2", "quality": "xhigh"}, "quality", "invalid_value"),
        ({"model": "gpt-image-2", "quality": "max"}, "quality", "invalid_value"),
        ({"output_format": "gif"}, "output_format", "invalid_value"),
        ({"output_format": "jpeg", "output_compression": 101}, "output_compression", "invalid_value"),
        ({"output_format": "png", "output_compression": 50}, "output_compression", "invalid_value"),
        ({"output_format": "jpeg", "background": "transparent"}, "background", "invalid_value"),
        ({"background": "red"}, "background", "invalid_value"),
        ({"moderation": "none"}, "moderation", "invalid_value"),
        ({"user": 5}, "user", "invalid_type"),
        ({"safety_identifier": "x" * 65}, "safety_identifier", "string_above_max_length"),
        ({"stream": "true"}, "stream", "invalid_type"),
        ({"stream": True, "partial_images": 4}, "partial_images", "invalid_value"),
        ({"partial_images": 1}, "partial_images", "invalid_value"),
        ({"complexity": "none"}, "complexity", "invalid_value"),
        ({"input_fidelity": "high"}, "input_fidelity", "unknown_parameter"),
        ({"aspect_ratio": "3:2"}, "aspect_ratio", "unknown_parameter"),
        ({"response_format": "url"}, "response_format", "unknown_parameter"),
        ({"style": "vivid"}, "style", "unknown_parameter"),
        ({"negative_prompt": "x"}, "negative_prompt", "unknown_parameter"),
    ],
)
def test_refusals_name_the_parameter(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(ApiError) as refusal:
        read(**fields)
    error = refusal.value
    assert (error.status, error.param, error.code) == (400, param, code)
    assert error.type in {"invalid_request_error", "image_generation_user_error"}


@pytest.mark.parametrize("model", ["dall-e-3", "gpt-image-1", "gpt-image-9"])
def test_models_that_are_not_served(model: str) -> None:
    with pytest.raises(ApiError) as refusal:
        read(model=model)
    assert (refusal.value.status, refusal.value.code) == (404, "model_not_found")
    assert model in refusal.value.message


@pytest.mark.parametrize("quality", ["xhigh", "max"])
@pytest.mark.parametrize("model", ["gpt-image-2.5-sunburst-2026-09-08", "gpt-image-2.6-flare"])
def test_newer_models_have_more_qualities(model: str, quality: str) -> None:
    assert read(model=model, quality=quality).quality == quality


def test_the_body_must_be_an_object() -> None:
    with pytest.raises(ApiError):
        order.read(["a vase"], CATALOG)
