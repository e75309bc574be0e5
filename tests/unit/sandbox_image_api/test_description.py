"""The sandbox against the provider's own description of its API.

The description is older than the official client's types. Where the two differ the client is right, and
each test that makes an exception for that says so.
"""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import (
    ImageEditCompletedEvent,
    ImageGenCompletedEvent,
    ImageGenPartialImageEvent,
    ImagesResponse,
)
from openai.types.image_generate_params import ImageGenerateParamsNonStreaming
from pydantic import TypeAdapter

from sandbox.image_api import catalog, order, references
from tests.unit.sandbox_image_api.files import encoded, photo
from tests.unit.sandbox_image_api.sandbox import Sandbox
from tests.unit.sandbox_image_api.test_edit_requests import FILE, data_url, send

sockets = pytest.mark.sockets
DESCRIPTION = Path(__file__).parents[4] / "shared" / "data" / "openai-openapi-subset.json"
# The description has neither free sizes nor the two qualities of the newer models; the client has both.
LAGGING = ("size", "quality")
CATALOG = catalog.load()
SMALL = data_url(encoded(photo(32, 32)))


def _modern(schema: Any) -> Any:
    """The description says `nullable` where JSON Schema has a type."""
    if isinstance(schema, list):
        return [_modern(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {name: _modern(part) for name, part in schema.items() if name != "nullable"}
    return {"anyOf": [rest, {"type": "null"}]} if schema.get("nullable") is True else rest


def _without_choices(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_choices(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _without_choices(part) for name, part in schema.items() if name != "enum"}


class Description:
    """The description, to validate against."""

    def __init__(self, text: str) -> None:
        self._components = _modern(json.loads(text)["components"])

    def check(self, name: str, value: Any, *, lagging: bool = False) -> None:
        """Raise if `value` is not as described; `lagging` spares the choices that came later."""
        components = json.loads(json.dumps(self._components))
        if lagging:
            properties = components["schemas"][name]["properties"]
            properties.update({field: _without_choices(properties[field]) for field in LAGGING})
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        jsonschema.Draft202012Validator(schema).validate(value)


@pytest.fixture(scope="module")
def description() -> Description:
    if not DESCRIPTION.exists():
        pytest.skip("the provider's description of its API is not on this machine")
    return Description(DESCRIPTION.read_text(encoding="utf-8"))


@sockets
def test_answers(sandbox: Sandbox, description: Description) -> None:
    older = sandbox.generate("described", model="gpt-image-1.5")
    description.check("ImagesResponse", older.json())
    transparent = sandbox.generate("described", background="transparent", output_format="webp")
    description.check("ImagesResponse", transparent.json())
    description.check("ImagesResponse", sandbox.edit("described", [FILE]).json())


@sockets
def test_newer_answers_but_for_the_descriptions_lag(sandbox: Sandbox, description: Description) -> None:
    newer = sandbox.generate("described", model="gpt-image-2.5-flare", quality="xhigh", size="816x816").json()
    with pytest.raises(jsonschema.ValidationError):
        description.check("ImagesResponse", newer)
    description.check("ImagesResponse", newer, lagging=True)
    ImagesResponse.model_validate(newer)


def _events(text: str) -> list[Any]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


@sockets
def test_events(sandbox: Sandbox, description: Description) -> None:
    partial, whole = _events(sandbox.generate("described", stream=True, partial_images=1).text)
    description.check("ImageGenPartialImageEvent", partial)
    description.check("ImageGenCompletedEvent", whole)
    partial, whole = _events(sandbox.edit("described", [FILE], stream="true", partial_images="1").text)
    description.check("ImageEditPartialImageEvent", partial)
    description.check("ImageEditCompletedEvent", whole)
    ImageEditCompletedEvent.model_validate(whole)


@sockets
def test_newer_events_but_for_the_descriptions_lag(sandbox: Sandbox, description: Description) -> None:
    model = {"model": "gpt-image-2.5-flare", "quality": "xhigh", "size": "816x816"}
    partial, whole = _events(sandbox.generate("described", stream=True, partial_images=1, **model).text)
    with pytest.raises(jsonschema.ValidationError):
        description.check("ImageGenCompletedEvent", whole)
    description.check("ImageGenPartialImageEvent", partial, lagging=True)
    description.check("ImageGenCompletedEvent", whole, lagging=True)
    ImageGenPartialImageEvent.model_validate(partial)
    ImageGenCompletedEvent.model_validate(whole)


@sockets
def test_refusals(sandbox: Sandbox, description: Description) -> None:
    refusals = [
        sandbox.generate("x", n=11),
        sandbox.generate("x", model="dall-e-3"),
        sandbox.generate("forbidden-input"),
        sandbox.http.get("/v1/models", headers={"authorization": "Bearer wrong"}),
        sandbox.http.get("/v1/nothing"),
        sandbox.http.get("/v1/images/generations"),
        sandbox.http.post("/v1/images/generations", content=b"{"),
        sandbox.http.post("/v1/images/generations", content=b'{"\\ud800": 1}'),
        sandbox.edit("x", []),
        send(sandbox, prompt="x", mask={"file_id": "file-1"}),
    ]
    statuses = [400, 404, 400, 401, 404, 405, 400, 400, 400, 400]
    assert [answer.status_code for answer in refusals] == statuses
    for answer in refusals:
        description.check("ErrorResponse", answer.json())


@sockets
def test_models(sandbox: Sandbox, description: Description) -> None:
    description.check("ListModelsResponse", sandbox.http.get("/v1/models").json())
    description.check("Model", sandbox.http.get("/v1/models/gpt-image-2").json())


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Legal bodies of all sorts."""
    model = draw(st.sampled_from(sorted(CATALOG.models)))
    family = CATALOG.models[model].family
    output_format = draw(st.sampled_from(["png", "jpeg", "webp"]))
    streamed = draw(st.booleans())
    backgrounds = ["auto", "opaque"] if output_format == "jpeg" else ["auto", "opaque", "transparent"]
    said: dict[str, st.SearchStrategy[Any]] = {
        "n": st.integers(1, 10),
        "size": st.sampled_from(["auto", *(family.sizes or ("1024x1024", "816x816", "3840x2160"))]),
        "quality": st.sampled_from(["auto", *family.qualities]),
        "output_compression": st.just(100) if output_format == "png" else st.integers(0, 100),
        "background": st.sampled_from(backgrounds),
        "moderation": st.sampled_from(["auto", "low"]),
        "complexity": st.sampled_from(["low", "medium", "high"]),
        "user": st.text("abc", max_size=5),
        "safety_identifier": st.text("abc", max_size=64),
        "partial_images": st.integers(0, 3 if streamed else 0),
    }
    chosen = sorted(draw(st.sets(st.sampled_from(sorted(said)))))
    return {
        "prompt": draw(st.text("abc ", min_size=1, max_size=9)),
        "model": model,
        "output_format": output_format,
        "stream": streamed,
        **{name: draw(said[name]) for name in chosen},
    }


def _is_newer(body: dict[str, Any]) -> bool:
    """Whether a body has a quality or, in an edit, a size that the description lacks."""
    return body.get("quality") in {"xhigh", "max"} or body.get("size") in {"816x816", "3840x2160"}


@settings(max_examples=40, deadline=None)
@given(bodies())
def test_what_is_accepted_is_legal(description: Description, body: dict[str, Any]) -> None:
    order.read(body, CATALOG)
    description.check("CreateImageRequest", body, lagging=_is_newer(body))
    TypeAdapter(ImageGenerateParamsNonStreaming).validate_python({**body, "stream": False})


@settings(max_examples=20, deadline=None)
@given(bodies())
def test_what_is_accepted_as_an_edit_is_legal(description: Description, body: dict[str, Any]) -> None:
    edit = {**body, "images": [{"image_url": SMALL}]}
    order.read_edit(*references.take(edit), CATALOG)
    description.check("EditImageBodyJsonParam", edit, lagging=_is_newer(edit))
