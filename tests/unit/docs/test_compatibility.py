"""What breaks a client of the last release, and what does not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docs.build import OPENAPI, generate, main
from docs.compatibility import BASELINE, breaks, broken_clients

Change = Callable[[dict[str, Any]], object]
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/things": {
            "get": {
                "operationId": "list_things",
                "parameters": [
                    {
                        "in": "query",
                        "name": "limit",
                        "schema": {"type": "integer", "maximum": 9, "default": 5},
                    }
                ],
                "responses": {
                    "200": {
                        "headers": {"ETag": {}, "Vary": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "404": {"x-problems": ["not-found", "lost"], "content": {}},
                },
            },
            "post": {
                "operationId": "make_thing",
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}
                },
                "responses": {"201": {}},
            },
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["id", "state"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "object": {"type": "string", "const": "thing"},
                    "state": {"type": "string", "enum": ["on", "off"]},
                    "count": {"type": "number", "maximum": 5},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                },
            },
            "Body": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 2, "maxLength": 8, "pattern": "a"},
                    "count": {"type": "integer"},
                    "kind": {"type": "string", "enum": ["big", "small"]},
                    "only": {"type": "string", "const": "this"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
            },
        }
    },
}


def thing(document: dict[str, Any]) -> Any:
    return document["components"]["schemas"]["Thing"]


def body(document: dict[str, Any]) -> Any:
    return document["components"]["schemas"]["Body"]


def of(document: dict[str, Any], method: str) -> Any:
    return document["paths"]["/things"][method]


def after(change: Change) -> list[str]:
    changed = copy.deepcopy(DOCUMENT)
    change(changed)
    return breaks(DOCUMENT, changed)


ADDED = {"in": "query", "name": "more", "schema": {"type": "string"}}
GET, POST, ANSWER, SENT = "GET /things", "POST /things", "GET /things: 200", "POST /things: body"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["paths"].clear(), f"{GET}: is gone"),
        (lambda d: d["paths"]["/things"].pop("post"), f"{POST}: is gone"),
        (lambda d: of(d, "get").update(operationId="x"), f"{GET}: operationId was list_things"),
        # parameters
        (lambda d: of(d, "get")["parameters"].clear(), f"{GET}: query parameter limit: is taken no more"),
        (
            lambda d: of(d, "get")["parameters"].append(ADDED | {"required": True}),
            f"{GET}: query parameter more: is new, and required",
        ),
        (
            lambda d: of(d, "get")["parameters"][0].update(required=True),
            f"{GET}: query parameter limit: is required now",
        ),
        (
            lambda d: of(d, "get")["parameters"][0]["schema"].update(maximum=8),
            f"{GET}: query parameter limit: maximum was 9, is 8",
        ),
        (
            lambda d: of(d, "get")["parameters"][0]["schema"].update(default=6),
            f"{GET}: query parameter limit: default was 5, is 6",
        ),
        # bodies
        (lambda d: of(d, "post")["requestBody"].update(required=True), f"{POST}: a body is required now"),
        (lambda d: of(d, "post").pop("requestBody"), f"{POST}: a body is taken no more"),
        (
            lambda d: of(d, "get").update(requestBody={"required": True, "content": {}}),
            f"{GET}: a body is required now",
        ),
        (
            lambda d: of(d, "post")["requestBody"]["content"].clear(),
            f"{SENT}: application/json is gone",
        ),
        (lambda d: body(d)["required"].append("count"), f"{SENT}.count: is required now"),
        (lambda d: body(d)["properties"].pop("count"), f"{SENT}.count: is gone"),
        (lambda d: body(d).update(additionalProperties=False), f"{SENT}: unknown properties are refused now"),
        (lambda d: body(d)["properties"]["kind"].update(enum=["big"]), f"{SENT}.kind: takes small no more"),
        (
            lambda d: body(d)["properties"]["count"].update(enum=[1, 2]),
            f"{SENT}.count: takes only 1, 2 now",
        ),
        (lambda d: body(d)["properties"]["only"].update(const="that"), f"{SENT}.only: takes this no more"),
        (
            lambda d: body(d)["properties"]["count"].update(type="string"),
            f"{SENT}.count: was integer, is string",
        ),
        (
            lambda d: body(d)["properties"]["name"].update(minLength=3),
            f"{SENT}.name: minLength was 2, is 3",
        ),
        (
            lambda d: body(d)["properties"]["count"].update(minimum=0),
            f"{SENT}.count: minimum was None, is 0",
        ),
        (lambda d: body(d)["properties"]["name"].update(pattern="b"), f"{SENT}.name: pattern was a, is b"),
        (lambda d: body(d)["properties"]["note"]["anyOf"].pop(), f"{SENT}.note: was null, is string"),
        # answers
        (lambda d: of(d, "get")["responses"].pop("404"), f"{GET}: 404 is answered no more"),
        (lambda d: of(d, "get")["responses"]["200"]["headers"].pop("ETag"), f"{ANSWER}: header ETag is gone"),
        (
            lambda d: of(d, "get")["responses"]["404"]["x-problems"].pop(),
            f"{GET}: 404: problem lost is gone",
        ),
        (
            lambda d: of(d, "get")["responses"]["200"]["content"].clear(),
            f"{ANSWER}: application/json is gone",
        ),
        (lambda d: thing(d)["properties"].pop("count"), f"{ANSWER}.count: is gone"),
        (lambda d: thing(d)["required"].remove("id"), f"{ANSWER}.id: may be missing now"),
        (
            lambda d: thing(d)["properties"]["id"].update(type="integer"),
            f"{ANSWER}.id: was string, is integer",
        ),
        (
            lambda d: thing(d)["properties"]["id"].update(format="date"),
            f"{ANSWER}.id: format was uuid, is date",
        ),
        (
            lambda d: thing(d)["properties"]["object"].update(const="other"),
            f"{ANSWER}.object: was always thing",
        ),
        (
            lambda d: thing(d)["properties"]["note"]["anyOf"].append({"type": "integer"}),
            f"{ANSWER}.note: was string, is integer",
        ),
        (
            lambda d: thing(d)["properties"].update(
                state={"anyOf": [{"type": "string"}, {"type": "null"}]}
            ),
            f"{ANSWER}.state: was string, is null",
        ),
    ],
)  # fmt: skip
def test_what_breaks_a_client(change: Change, said: str) -> None:
    assert said in after(change)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: None,
        lambda d: d["paths"].update({"/more": {}}),
        lambda d: d["paths"]["/things"].update(put={}),
        lambda d: of(d, "get")["parameters"].append(ADDED),
        lambda d: of(d, "get")["parameters"][0]["schema"].update(maximum=10),
        lambda d: of(d, "get")["parameters"][0]["schema"].pop("maximum"),
        lambda d: of(d, "get")["responses"].update({"409": {}}),
        lambda d: of(d, "get")["responses"]["200"]["content"].update({"text/csv": {}}),
        lambda d: of(d, "get")["responses"]["404"]["x-problems"].append("more"),
        lambda d: body(d)["properties"].update(more={"type": "string"}),
        lambda d: body(d)["required"].clear(),
        lambda d: body(d)["properties"]["count"].update(type="number"),
        lambda d: body(d)["properties"]["name"].pop("pattern"),
        lambda d: body(d)["properties"]["name"].update(minLength=1, maxLength=9),
        lambda d: body(d)["properties"]["kind"]["enum"].append("middle"),
        lambda d: body(d)["properties"].update(only={"type": "string", "enum": ["this", "that"]}),
        lambda d: body(d)["properties"]["note"]["anyOf"].append({"type": "integer"}),
        lambda d: thing(d)["properties"].update(more={"type": "string"}),
        lambda d: thing(d)["properties"]["state"]["enum"].append("between"),
        lambda d: thing(d)["properties"]["count"].update(type="integer", maximum=3),
        lambda d: thing(d)["properties"]["note"]["anyOf"].pop(),
        lambda d: thing(d)["required"].append("count"),
    ],
)
def test_what_breaks_no_client(change: Change) -> None:
    assert after(change) == []


def test_each_break_is_told_once_although_a_thing_holds_things() -> None:
    assert after(lambda d: thing(d)["properties"].pop("count")) == [f"{ANSWER}.count: is gone"]


# --- the release ---------------------------------------------------------------------------------


def released(root: Path, change: Change) -> None:
    document = json.loads(generate()[OPENAPI])
    change(document)
    (root / BASELINE).parent.mkdir(parents=True)
    (root / BASELINE).write_text(json.dumps(document), encoding="utf-8")


def test_a_check_names_what_is_broken_since_the_release(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released(tmp_path, lambda d: d["paths"].update({"/old": {"get": {"responses": {}}}}))

    assert main(["--check"], tmp_path) == 1
    assert f"{BASELINE}: would break clients: GET /old: is gone\n" in capsys.readouterr().err


def test_a_release_takes_what_was_added(tmp_path: Path) -> None:
    released(tmp_path, lambda d: d["paths"].pop("/healthz"))

    assert main(["--release"], tmp_path) == 0
    assert (tmp_path / BASELINE).read_text(encoding="utf-8") == generate()[OPENAPI]


def test_a_release_that_breaks_clients_is_refused(tmp_path: Path) -> None:
    released(tmp_path, lambda d: d["paths"].update({"/old": {"get": {"responses": {}}}}))
    before = (tmp_path / BASELINE).read_bytes()

    assert main(["--release"], tmp_path) == 1
    assert (tmp_path / BASELINE).read_bytes() == before


def test_before_the_first_release_nothing_can_be_broken(tmp_path: Path) -> None:
    assert broken_clients(tmp_path, generate()[OPENAPI]) == []
