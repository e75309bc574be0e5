"""Input images in a submission: what is refused, where, and what is warned of."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api.app import make_app
from api.context import Context
from imagemill.domain.job import Submission
from imagemill.domain.places import file_key
from imagemill.inputs.reference import Rules
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY, FILE, ITEM, KEY

MISSING = "file_" + "1" * 26
URL = "https://images.example/a.png?sig=very-secret"
MANIFEST = {"file_id": FILE, "format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.text }}"}
FLARE, TWO = "gpt-image-2.5-flare", "gpt-image-2"


def item(**said: object) -> dict[str, Any]:
    return {"items": [ITEM, ITEM | {"custom_id": "b"} | said]}


def defaults(**said: object) -> dict[str, Any]:
    return {"defaults": BODY["defaults"] | said}


def manifest(**said: object) -> dict[str, Any]:
    return {"items": None, "manifest": MANIFEST | said}


@pytest.fixture(autouse=True)
async def uploaded(control: MemoryStore) -> None:
    await control.put(file_key("t", FILE), b"id,text,image\na,x,\n")


async def errors(http: httpx2.AsyncClient, change: dict[str, Any]) -> list[tuple[str, str]]:
    answer = await http.post("/v1/jobs", json=BODY | change)
    assert answer.status_code == 422, answer.text
    assert "secret" not in answer.text
    return [(error["pointer"], error["detail"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("change", "pointer", "says"),
    [
        (item(images=[URL, "a.png"]), "/items/1/images/1", "give the id of an uploaded file"),
        (item(images=["http://images.example/secret"]), "/items/1/images/0", "use https://"),
        (item(images=["https://169.254.169.254/secret"]), "/items/1/images/0", "public host"),
        (item(images=["s3://shop/secret"]), "/items/1/images/0", "bucket 'shop'"),
        (item(images=["data:image/png;base64,secret" + "A" * 9000]), "/items/1/images/0", "/v1/files"),
        (item(images=[URL] * 17), "/items/1/images", "at most 16"),
        (item(images=[FILE, MISSING]), "/items/1/images/1", f"there is no file {MISSING}"),
        (item(images=[FILE], mask=MISSING), "/items/1/mask", "there is no file"),
        (item(images=[FILE], markup="secret"), "/items/1/markup", "is no reference"),
        (item(mask=FILE), "/items/1/mask", "name the image in images"),
        (item(markup=FILE), "/items/1/markup", "name the image in images"),
        (item(images=[FILE], mask=FILE, markup=FILE), "/items/1/markup", "a mask or markup, not both"),
        (item(model=TWO, images=[FILE], markup=FILE), "/items/1/markup", f"{TWO} does not take it"),
        (item(input_fidelity="high"), "/items/1/input_fidelity", f"{FLARE} does not take it"),
        (item(n="2"), "/items/1/n", "valid integer"),
        (item(style="vivid"), "/items/1/style", "say it in the prompt"),
        (item(response_format="url"), "/items/1/response_format", "output_format"),
        (item(user="alice"), "/items/1/user", "end_user"),
        (item(quality="ultra"), "/items/1/quality", "'high'"),
        (defaults(style="vivid"), "/defaults/style", "dall-e-3, which was shut down"),
        (defaults(images=[MISSING]), "/defaults/images/0", "there is no file"),
        (manifest(variants=[{"name": "a", "images": [MISSING]}]), "/manifest/variants/0/images/0", "no file"),
        (manifest(variants=[{"name": "a", "user": "x"}]), "/manifest/variants/0/user", "end_user"),
        (
            manifest(images=["{{ row.image }}", "{{ row.imag }}"]),
            "/manifest/images/1",
            "did you mean 'image'",
        ),
        (
            manifest(images=["{{ row.image }}"], mask="{{ row.image"),
            "/manifest/mask",
            "not a Liquid template",
        ),
        (manifest(mask="{{ row.image }}"), "/manifest/mask", "name the image in images"),
        (
            manifest(mask="{{ row.image }}", variants=[{"name": "a"}]),
            "/manifest/mask",
            "name the image in images",
        ),
        (manifest(images=[""]), "/manifest/images/0", "at least 1 character"),
    ],
)
async def test_a_refusal_points_at_the_reference_without_repeating_it(
    http: httpx2.AsyncClient, engine: MemoryEngine, change: dict[str, Any], pointer: str, says: str
) -> None:
    found = await errors(http, change)

    assert [where for where, _ in found] == [pointer]
    assert says in found[0][1]
    assert engine.starts == []


@pytest.mark.parametrize(
    "change",
    [
        item(images=[URL, FILE], mask=FILE),
        item(images=[FILE], markup=FILE),
        item(images=[FILE] * 16, complexity="high", end_user="alice"),
        defaults(images=[URL]),
        manifest(images=["{{ row.image }}"], mask="{{ row.image }}", markup="{{ row.image }}"),
        manifest(images=["{{ row.image }}"], variants=[{"name": "a", "mask": FILE}]),
    ],
)
async def test_input_images_are_taken(http: httpx2.AsyncClient, change: dict[str, Any]) -> None:
    answer = await http.post("/v1/jobs", json=BODY | change)
    assert answer.status_code == 202, answer.text


async def test_a_problem_of_the_defaults_is_told_once(http: httpx2.AsyncClient) -> None:
    assert len(await errors(http, item() | defaults(images=["nonsense"]))) == 1


async def test_each_file_is_looked_for_once(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    rows = [{"custom_id": str(n), "prompt": "x", "images": [FILE, MISSING]} for n in range(50)]
    found = await errors(http, {"items": rows})

    assert [where for where, _ in found] == [f"/items/{n}/images/1" for n in range(50)]
    looked = [key for method, key in control.calls if method == "head"]
    assert looked == [file_key("t", FILE), file_key("t", MISSING)]


async def test_the_operator_s_rules_hold(parts: Context) -> None:
    app: FastAPI = make_app()
    app.state.context = replace(parts, rules=Rules(buckets=("shop",), allow_http=True))
    transport = httpx2.ASGITransport(app=app)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
        images = ["s3://shop/a.png", "http://images.example/a.png"]
        assert (await http.post("/v1/jobs", json=BODY | item(images=images))).status_code == 202


@pytest.mark.parametrize(
    "change",
    [
        defaults(quality="hd"),
        item(quality="hd"),
        manifest(variants=[{"name": "a", "quality": "hd"}, {"name": "b", "quality": "hd"}]),
    ],
)
async def test_an_old_spelling_is_understood_and_warned_of(
    http: httpx2.AsyncClient, engine: MemoryEngine, change: dict[str, Any]
) -> None:
    answer = await http.post("/v1/jobs", json=BODY | change)

    assert answer.status_code == 202, answer.text
    assert engine.starts[0].summary.warnings == ["quality 'hd' is an old spelling and was taken as 'high'"]


async def test_what_is_written_down_is_what_was_sent(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    said: dict[str, Any] = {"images": ["{{ row.image }}"], "mask": "{{ row.image }}"}
    await http.post("/v1/jobs", json=BODY | manifest(**said))
    [key] = [key for key in control.written if key.endswith("/request.json")]
    kept = Submission.model_validate_json(control.data(key)).manifest

    assert kept
    assert (kept.images, kept.mask, kept.markup) == (said["images"], said["mask"], None)
