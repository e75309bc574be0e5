"""The OpenAPI document of the application, and the pages that problems lead to."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api.app import make_app
from api.described import KEYED, describe
from api.meanings import MEANINGS
from api.openapi_headers import headers
from api.problems import (
    INVALID,
    JOB_ENDED,
    KEY_REUSED,
    KINDS,
    MEDIA_TYPE,
    NOT_FOUND,
    UNAVAILABLE,
    Kind,
    problems,
)
from docs.build import errors_page
from tests.unit.api.bodies import filled

DOCUMENT = make_app().openapi()
BROWSER = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


EACH = [pytest.param(*each, id=f"{each[0]} {each[1]}") for each in operations()]


def test_the_names_of_operations_are_those_of_functions_and_unique() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]

    assert len(set(names)) == len(names)
    assert {"create_job", "get_job", "upload_file"} <= set(names)


@pytest.mark.parametrize(("method", "path", "operation"), EACH)
async def test_what_the_document_says_of_keys_is_true(
    http: httpx2.AsyncClient, method: str, path: str, operation: dict[str, Any]
) -> None:
    http.headers.pop("authorization")
    answer = await http.request(method, filled(path))

    assert (operation.get("security") == []) == (not path.startswith(KEYED))
    assert (answer.status_code == 401) == path.startswith(KEYED)
    assert ("401" in operation["responses"]) == path.startswith(KEYED)
    assert DOCUMENT["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


@pytest.mark.parametrize(("method", "path", "operation"), EACH)
def test_every_route_has_the_problems_that_all_have(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    found = set(operation["responses"])

    assert "500" in found
    assert ({"401", "403", "503"} <= found) == path.startswith(KEYED)
    assert ("413" in found) == ("requestBody" in operation)
    assert "404" in found or "{" not in path


@pytest.mark.parametrize(("method", "path", "operation"), EACH)
def test_errors_are_problem_documents(method: str, path: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status[0] in "45" and (path, status) != ("/readyz", "503"):
            assert list(response["content"]) == [MEDIA_TYPE], status
            assert response["content"][MEDIA_TYPE]["schema"]["$ref"].endswith("/ProblemAnswer")
            assert response["x-problems"]


def test_what_fastapi_would_answer_is_not_in_the_document() -> None:
    assert "HTTPValidationError" not in str(DOCUMENT)


def test_references_lead_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    named = set(re.findall(r"#/components/schemas/(\w+)", str(DOCUMENT)))

    assert named <= schemas.keys()


def test_problems_of_one_status_are_told_together() -> None:
    said = problems(INVALID, JOB_ENDED, KEY_REUSED)

    assert said[422]["x-problems"] == ["invalid-submission", "idempotency-key-reused"]
    assert said[409]["x-problems"] == ["job-ended"]
    assert said[422]["description"].startswith(f"{INVALID.title}. {KEY_REUSED.title}")


def test_a_routes_own_problems_stand_beside_those_of_all_routes() -> None:
    responses = DOCUMENT["paths"]["/v1/jobs"]["post"]["responses"]

    assert responses["422"]["x-problems"] == [
        "invalid-submission",
        "idempotency-key-reused",
        "invalid-request",
    ]
    assert responses["403"]["x-problems"] == ["no-tenant-cap", "forbidden"]
    assert responses["202"]["headers"].keys() == {"Location", "Retry-After"}


def test_what_a_route_says_of_its_own_answers_is_kept() -> None:
    app = FastAPI()
    limited = problems(UNAVAILABLE)[503] | headers("ETag")

    @app.get("/v1/theirs", responses={401: {"model": dict[str, str]}, 503: limited})
    def theirs() -> None: ...

    describe(app)
    responses = app.openapi()["paths"]["/v1/theirs"]["get"]["responses"]

    assert list(responses["401"]["content"]) == ["application/json"]
    assert list(responses["403"]["content"]) == [MEDIA_TYPE]
    assert responses["503"]["x-problems"] == ["unavailable"]
    assert responses["503"]["headers"].keys() == {"ETag", "Retry-After"}


def test_a_header_that_nobody_describes_is_an_error() -> None:
    with pytest.raises(KeyError):
        headers("X-Unheard-Of")


async def test_a_method_that_is_not_taken_is_told_all_that_are(http: httpx2.AsyncClient) -> None:
    answer = await http.put("/v1/jobs/job_1")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PATCH")
    assert answer.headers["content-type"] == MEDIA_TYPE


# --- pages ---------------------------------------------------------------------------------------


def test_every_kind_is_explained_and_nothing_else() -> None:
    assert MEANINGS.keys() == {kind.slug for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
async def test_the_page_of_a_problem_says_what_the_reference_says(
    http: httpx2.AsyncClient, kind: Kind
) -> None:
    http.headers.pop("authorization")
    said = await http.get(f"/problems/{kind.slug}")
    page = await http.get(f"/problems/{kind.slug}", headers=BROWSER)
    section = errors_page().partition(f"\n### {kind.slug}\n")[2].partition("\n#")[0]

    assert said.headers["content-type"] == "application/json"
    assert said.json() == {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "about": MEANINGS[kind.slug].about,
        "remedy": MEANINGS[kind.slug].remedy,
        "retry_helps": kind.retry_helps,
    }
    assert section.split() == [*MEANINGS[kind.slug].about.split(), *MEANINGS[kind.slug].remedy.split()]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["vary"] == said.headers["vary"] == "Accept"
    assert "`" not in page.text
    assert _plain(MEANINGS[kind.slug].remedy) in page.text.replace("<code>", "").replace("</code>", "")


async def test_a_page_of_no_problem_is_a_problem_to_browsers_too(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/problems/gone", headers=BROWSER)

    assert answer.status_code == 404
    assert answer.json()["type"] == f"/problems/{NOT_FOUND.slug}"


async def test_the_type_of_a_problem_leads_to_its_page(http: httpx2.AsyncClient) -> None:
    problem = await http.get("/v1/jobs/job_none")
    page = await http.get(problem.json()["type"])

    assert page.json()["title"] == problem.json()["title"]


def _plain(text: str) -> str:
    return text.replace("`", "").replace("'", "&#x27;").replace('"', "&quot;")
