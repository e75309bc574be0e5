"""The OpenAPI document: what FastAPI derives from the routes, and what it can't see in them.

FastAPI does not know of keys that a dependency reads, nor of problems that are answered by handlers. Both
are added here for every route, so that a route says only which problems are its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.problems import (
    BROKEN,
    FORBIDDEN,
    HEADERS_LARGE,
    KINDS,
    MALFORMED,
    NOT_FOUND,
    OTHER,
    QUERY_LONG,
    RATE_LIMITED,
    SLOW,
    TOO_LARGE,
    UNAUTHORIZED,
    UNAVAILABLE,
    Kind,
    ProblemAnswer,
    problems,
)

KEYED = "/v1/"
"""Routes below this take an API key; the others need none."""

SCHEME = "key"
FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")
"""Schemas of answers that FastAPI would give, and that are problem documents here."""


def operation_id(route: APIRoute) -> str:
    """The name of the route's function: what generated clients call, so it must not change."""
    return route.name


def describe(app: FastAPI) -> None:
    """Let the application's document tell of keys and problems too."""
    plain = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(plain())  # which keeps what it has made
        return plain()

    app.openapi = whole  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in FASTAPIS_OWN:
        schemas.pop(name, None)
    answer = ProblemAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= answer.pop("$defs", {}) | {ProblemAnswer.__name__: answer}
    components["securitySchemes"] = {
        SCHEME: {"type": "http", "scheme": "bearer", "description": "An API key, such as `im_…`."}
    }
    document["security"] = [{SCHEME: []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(path, operation)


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    if not path.startswith(KEYED):
        operation["security"] = []
    responses = operation["responses"]
    own = [kind for response in responses.values() for kind in _kinds_of(response)]
    found = [*own, *(kind for kind in _common(path, operation) if kind not in own)]
    for status, response in problems(*found).items():
        stated = responses.get(str(status), {})
        if not _speaks_for_itself(stated):
            named = response["headers"] | stated.get("headers", {})
            responses[str(status)] = response | {"headers": named}
    operation["responses"] = dict(sorted(responses.items()))


def _speaks_for_itself(response: Mapping[str, Any]) -> bool:
    """Has the route said what it answers with, and is it no problem document?"""
    content = response.get("content")
    return bool(content) and "x-problems" not in response and FASTAPIS_OWN[0] not in str(content)


def _kinds_of(response: Mapping[str, Any]) -> Iterator[Kind]:
    """The problems that a route has named by ``problems()``."""
    slugs = response.get("x-problems", ())
    return (kind for kind in KINDS if kind.slug in slugs)


def _common(path: str, operation: Mapping[str, Any]) -> Iterator[Kind]:
    """The problems that a route answers without naming them."""
    yield from (BROKEN, HEADERS_LARGE, QUERY_LONG)
    if "422" in operation["responses"]:  # FastAPI adds it to whatever has a parameter or a body
        yield MALFORMED
    if "requestBody" in operation:
        yield from (OTHER, TOO_LARGE, SLOW)
    if path.startswith(KEYED):
        yield from (UNAUTHORIZED, FORBIDDEN, UNAVAILABLE)
        yield RATE_LIMITED
        if "{" in path:
            yield NOT_FOUND
