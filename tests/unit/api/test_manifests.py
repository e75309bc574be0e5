"""Manifests as they are submitted: feeds, variants, and what is wrong with all of their rows."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError
from temporalio.testing import ActivityEnvironment

from activities.planning import Planning
from api.app import make_app
from api.context import Context
from api.manifests import manifest_of, matrix_variants
from api.models import ManifestBody, MatrixBody
from imagemill.domain.messages import Estimated, EstimateTask
from imagemill.domain.places import bad_rows_key, file_key
from imagemill.manifest.feeds import FEEDS
from imagemill.templating.check import template_problems
from imagemill.templating.process import ProcessTemplating
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY, FILE, KEY

MANIFEST = {"file_id": FILE, "format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.text }}"}


class PlanningEngine(MemoryEngine):
    """An engine that plans what it is asked about, at once."""

    def __init__(self, planning: Planning) -> None:
        super().__init__()
        self._planning = planning

    async def estimate(self, task: EstimateTask, seconds: float) -> Estimated | None:
        return await ActivityEnvironment().run(self._planning.estimate, task)


@pytest.fixture
async def planned(parts: Context, control: MemoryStore) -> AsyncIterator[httpx2.AsyncClient]:
    engine = PlanningEngine(Planning(control, ProcessTemplating(), parts.catalogue))
    app = make_app(replace(parts, engine=engine))
    headers = {"authorization": f"Bearer {KEY}"}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        yield client


def body(**said: Any) -> dict[str, Any]:
    return BODY | {"items": None, "manifest": MANIFEST | said}


async def submitted(http: httpx2.AsyncClient, control: MemoryStore, **said: Any) -> dict[str, Any]:
    answer = await http.post("/v1/jobs", json=body(**said))
    assert answer.status_code == 202, answer.text
    stored: dict[str, Any] = json.loads(control.data(f"jobs/t/{answer.json()['id']}/request.json"))
    return dict(stored["manifest"])


async def refused(http: httpx2.AsyncClient, **said: Any) -> list[tuple[str, str]]:
    answer = await http.post("/v1/jobs", json=body(**said))
    assert answer.status_code == 422, answer.text
    return [(error["pointer"], error["detail"]) for error in answer.json()["errors"]]


# --- all bad rows --------------------------------------------------------------------------------


async def test_a_validation_tells_the_first_thousand_bad_rows_and_where_all_are(
    planned: httpx2.AsyncClient, control: MemoryStore
) -> None:
    rows = "".join(f"r{number},{'' if number % 4 else 'x'}\n" for number in range(4_000))
    await control.put(file_key("t", FILE), f"id,text\n{rows}".encode())
    answer = (await planned.post("/v1/jobs?validate_only=true", json=body())).json()
    every = await planned.get(answer["invalid_rows"]["errors_url"])
    told = [json.loads(line) for line in every.text.splitlines()]

    assert (answer["items"], answer["invalid_rows"]["count"]) == (4_000, 3_000)
    assert answer["invalid_rows"]["first"] == told[:1000]
    assert [row["line"] for row in told] == [number + 2 for number in range(4_000) if number % 4]
    assert every.headers["content-type"].startswith("application/jsonl")
    assert answer["invalid_rows"]["errors_url"] == f"/v1/validations/{answer['id']}/errors"
    assert not [key for key in control.written if key.startswith("estimates/")]


async def test_a_validation_without_bad_rows_has_no_errors(
    planned: httpx2.AsyncClient, control: MemoryStore
) -> None:
    await control.put(file_key("t", FILE), b"id,text\na,x\n")
    answer = (await planned.post("/v1/jobs?validate_only=true", json=body())).json()

    assert answer["invalid_rows"] is None
    gone = await planned.get(f"/v1/validations/{answer['id']}/errors")
    assert (gone.status_code, gone.json()["type"]) == (404, "/problems/not-found")


async def test_bad_rows_of_others_are_not_found(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    await control.put(bad_rows_key("somebody", "validation_1"), b"{}\n")
    assert (await http.get("/v1/validations/validation_1/errors")).status_code == 404
    assert (await http.get("/v1/validations/validation_1/errors", headers={"authorization": ""})).is_error


# --- feeds ---------------------------------------------------------------------------------------


async def test_a_known_feed_brings_its_templates_which_are_written_down(
    http: httpx2.AsyncClient, control: MemoryStore
) -> None:
    await control.put(file_key("t", FILE), gzip.compress(b"Handle,Title\na,Chair\n", mtime=0))
    said = {"format": "shopify-products", "id": None, "prompt": None}
    stored = await submitted(http, control, **said)
    own = await submitted(http, control, **said | {"prompt": "{{ row.Title }}"})

    assert (stored["id"], stored["prompt"]) == ("{{ row.Handle }}", FEEDS["shopify-products"].prompt)
    assert (own["id"], own["prompt"]) == ("{{ row.Handle }}", "{{ row.Title }}")


@pytest.mark.parametrize("form", FEEDS)
def test_the_templates_of_feeds_are_sound(form: str) -> None:
    for text in (FEEDS[form].id, FEEDS[form].prompt):  # type: ignore[index] # the keys are formats
        assert template_problems(text) == []


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_plain_rows_need_templates(http: httpx2.AsyncClient, form: str) -> None:
    found = await refused(http, format=form, id=None, prompt=None)
    assert found == [("/manifest/id", "is missing"), ("/manifest/prompt", "is missing")]


@pytest.mark.parametrize(
    ("data", "said", "pointer", "says"),
    [
        (b"sku\n1\n", {"format": "shopify-variants"}, "line 1", "a column 'Handle'"),
        (b"<html/>", {"format": "merchant-xml"}, "line 1", "rss or feed"),
        (b"id,text\n\xd6l,x\n", {}, "line 2", "windows-1252"),
        (
            gzip.compress(b"id,text\n", mtime=0)[:8] + b"xxxxxx",
            {},
            "manifest",
            "the gzip is cut off or damaged",
        ),
        (b"id,text\n", {"encoding": "latin-9"}, "/manifest/encoding", "windows-1252"),
        (b"id,text\n", {"prompt": "{" * 20_000}, "/manifest/prompt", "not a Liquid template"),
    ],
)
async def test_what_is_not_what_it_is_said_to_be(  # noqa: PLR0917
    http: httpx2.AsyncClient,
    control: MemoryStore,
    data: bytes,
    said: dict[str, Any],
    pointer: str,
    says: str,
) -> None:
    await control.put(file_key("t", FILE), data)
    [(where, what)] = await refused(http, **said)
    assert where == pointer
    assert says in what


async def test_half_characters_are_refused(http: httpx2.AsyncClient) -> None:
    sent = json.dumps(BODY | {"items": [{"custom_id": "\ud800", "prompt": "x"}]})
    answer = await http.post("/v1/jobs", content=sent, headers={"content-type": "application/json"})
    assert answer.status_code == 422


# --- variants ------------------------------------------------------------------------------------


async def test_a_matrix_is_written_down_as_variants(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    await control.put(file_key("t", FILE), b"id,text\na,x\n")
    matrix = {
        "sizes": ["1024x1024", "1536x1024"],
        "qualities": ["low", "high"],
        "words": {"white": "on a white background", "forest": "in a forest"},
    }
    stored = (await submitted(http, control, matrix=matrix))["variants"]

    assert [variant["name"] for variant in stored][:3] == [
        "1024x1024-low-white",
        "1024x1024-low-forest",
        "1024x1024-high-white",
    ]
    assert len({variant["name"] for variant in stored}) == 8
    assert stored[-1] == {
        "name": "1536x1024-high-forest",
        "size": "1536x1024",
        "quality": "high",
        "words": "in a forest",
    }


@pytest.mark.parametrize(
    ("matrix", "names"),
    [
        ({"sizes": ["auto"]}, ["auto"]),
        ({"words": {"a": "x", "b": "y"}}, ["a", "b"]),
        ({"qualities": ["low"], "words": {"low": "x"}}, ["low-low"]),
    ],
)
def test_a_part_of_a_matrix_will_do(matrix: dict[str, Any], names: list[str]) -> None:
    assert [variant.name for variant in matrix_variants(MatrixBody(**matrix))] == names


@pytest.mark.parametrize(
    ("said", "pointer", "says"),
    [
        ({"matrix": {}}, "/manifest/matrix", "at least one of sizes, qualities and words"),
        ({"matrix": {"sizes": ["auto", "auto"]}}, "/manifest/matrix", "sizes has 'auto' twice"),
        (
            {"matrix": {"sizes": ["auto", "1024x1024"], "words": {f"w{n}": "x" for n in range(51)}}},
            "/manifest/matrix",
            "makes 102 variants of each row; at most 100",
        ),
        ({"matrix": {"words": {"../x": "y"}}}, "/manifest/matrix/words/..~1x/[key]", "pattern"),
        ({"matrix": {"words": {"x": " "}}}, "/manifest/matrix/words/x", "pattern"),
        ({"matrix": {"sizes": ["1024x1024", "17x17"]}}, "/manifest/matrix/sizes/1", "divisible by 16"),
        ({"matrix": {"qualities": ["low"]}, "variants": [{"name": "a"}]}, "/manifest", "either"),
        ({"variants": [{"name": "a", "size": "17x17"}]}, "/manifest/variants/0/size", "divisible by 16"),
        ({"variants": [{"name": "a"}, {"name": "a"}]}, "/manifest/variants", "two variants"),
        ({"variants": [{"name": f"v{n}"} for n in range(101)]}, "/manifest/variants", "100"),
    ],
)
async def test_variants_that_can_t_be(
    http: httpx2.AsyncClient, control: MemoryStore, said: dict[str, Any], pointer: str, says: str
) -> None:
    await control.put(file_key("t", FILE), b"id,text\na,x\n")
    [(where, what)] = await refused(http, **said)
    assert where == pointer
    assert says in what


async def test_the_cap_is_held_against_the_shortest_words(
    http: httpx2.AsyncClient, control: MemoryStore
) -> None:
    await control.put(file_key("t", FILE), b"id,text\na,x\n")
    variants = [{"name": "a", "quality": "low", "words": "x" * 4000}]
    short = [variants[0] | {"words": "x"}]
    cap = {"budget": {"limit_usd": "0.01"}}
    answers = [await http.post("/v1/jobs", json=body(variants=words) | cap) for words in (variants, short)]
    assert [answer.status_code for answer in answers] == [422, 202]


def test_what_a_manifest_leaves_out_is_an_error_only_without_a_feed() -> None:
    feed = ManifestBody.model_validate({"file_id": FILE, "format": "merchant-xml"})
    assert manifest_of(feed).id == "{{ row.id }}"
    with pytest.raises(ValidationError):
        ManifestBody.model_validate({"file_id": FILE, "format": "csv"})
