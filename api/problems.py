"""Errors as callers see them: RFC 9457 problem documents with stable types."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.headers import ALWAYS, BY_DEFAULT
from api.openapi_headers import headers
from imagemill.domain.errors import EngineUnavailable, InvalidInput, StoreError

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 1000
"""So many places of one body are named."""
MOST_CHARACTERS = 2000
"""Of a pointer or a detail, which may repeat what was sent."""
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem: its status, its title, and whether a client's retry can mend it."""

    slug: str
    status: int
    title: str
    retry_helps: bool = False


INVALID = Kind("invalid-submission", 422, "The submission can't be run as it is")
MALFORMED = Kind("invalid-request", 422, "The request is not as it should be")
UNAUTHORIZED = Kind("unauthorized", 401, "The API key is missing or wrong")
FORBIDDEN = Kind("forbidden", 403, "This key may not do that")
TENANT_REMOVED = Kind("tenant-removed", 403, "The tenant was removed")
NO_CAP = Kind("no-tenant-cap", 403, "The tenant has no cap")
NOT_FOUND = Kind("not-found", 404, "There is no such thing")
JOB_LOST = Kind("job-lost", 410, "The job was accepted, but the engine has forgotten it")
JOB_RUNS = Kind("job-not-ended", 409, "The job has not ended")
NO_REPORT = Kind("no-report", 410, "The job has left no report")
JOB_ENDED = Kind("job-ended", 409, "The job has ended")
KEY_REUSED = Kind("idempotency-key-reused", 422, "The idempotency key belongs to another submission")
TOO_MANY_SECRETS = Kind("too-many-secrets", 409, "Too many webhook secrets sign already")
TOO_LARGE = Kind("too-large", 413, "The request is too large")
CAPS_IN_FILE = Kind("caps-in-file", 409, "The tenant's caps are set in a file")
RATE_LIMITED = Kind("rate-limited", 429, "The key sends too many requests", retry_helps=True)
METHOD = Kind("method-not-allowed", 405, "The address does not take this method")
SLOW = Kind("too-slow", 408, "The request came too slowly")
LENGTH_MISSING = Kind("length-required", 411, "The request does not say how long its body is")
QUERY_LONG = Kind("query-too-long", 414, "The query is too long")
BODY_KIND = Kind("unsupported-media-type", 415, "A body of this type is not taken here")
DIFFERS = Kind("content-differs", 422, "The bytes are not those that were announced")
HEADERS_LARGE = Kind("headers-too-large", 431, "The headers are too large")
UPLOAD_DONE = Kind("upload-completed", 409, "The upload has been completed")
UPLOADS_BUSY = Kind("too-many-uploads", 503, "Too many files are coming in", retry_helps=True)
ESTIMATE_SLOW = Kind("estimate-too-slow", 504, "The estimate takes longer than a caller can wait")
GALLERY_SLOW = Kind("gallery-not-ready", 503, "The gallery is still being made", retry_helps=True)
TOO_MANY_STREAMS = Kind("too-many-streams", 429, "Too many streams of events are open", retry_helps=True)
NAMED_VARIANTS = Kind("variant-needed", 422, "The item comes in several variants")
RUN_UNDER_WAY = Kind("run-under-way", 409, "A run of the schedule is under way")
UNAVAILABLE = Kind("unavailable", 503, "A part that the service stands on is away", retry_helps=True)
OTHER = Kind("http-error", 400, "The request can't be answered")
BROKEN = Kind("internal-error", 500, "The service made a mistake")
KINDS = (
    INVALID,
    MALFORMED,
    UNAUTHORIZED,
    FORBIDDEN,
    TENANT_REMOVED,
    NO_CAP,
    NOT_FOUND,
    JOB_LOST,
    JOB_RUNS,
    NO_REPORT,
    JOB_ENDED,
    KEY_REUSED,
    TOO_MANY_SECRETS,
    TOO_LARGE,
    CAPS_IN_FILE,
    RATE_LIMITED,
    METHOD,
    SLOW,
    LENGTH_MISSING,
    QUERY_LONG,
    BODY_KIND,
    DIFFERS,
    HEADERS_LARGE,
    UPLOAD_DONE,
    ESTIMATE_SLOW,
    GALLERY_SLOW,
    TOO_MANY_STREAMS,
    NAMED_VARIANTS,
    RUN_UNDER_WAY,
    UNAVAILABLE,
    UPLOADS_BUSY,
    OTHER,
    BROKEN,
)


class Problem(Exception):
    """Raised anywhere in a request; answered as its kind says."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        errors: Sequence[tuple[str, str]] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers or {}


class ProblemPlace(BaseModel):
    """One thing that is wrong with a body."""

    pointer: str = Field(description="Where: a JSON pointer into the body, or the name of a parameter.")
    detail: str = Field(description="What is wrong, and what would be right.")


class ProblemAnswer(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="Which kind of problem this is; also the path of a page that explains it.")
    title: str = Field(description="The kind in words, always the same.")
    status: int = Field(description="The status of the answer.")
    detail: str = Field(description="What is wrong with this request.")
    errors: list[ProblemPlace] = Field(default=[], description="Each place that is wrong, where there are.")


def problems(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The problems that a route answers, as the ``responses`` of its decorator.

    Those that every route answers (no key, a malformed request, a part that is away) are added by
    ``api.described``, and so is `not-found` wherever the path has a parameter.
    """
    statuses = dict.fromkeys(kind.status for kind in kinds)
    return {status: _described([kind for kind in kinds if kind.status == status]) for status in statuses}


def _described(kinds: Sequence[Kind]) -> dict[str, Any]:
    """An answer of the OpenAPI document; the kinds have one status."""
    schema = {"$ref": f"#/components/schemas/{ProblemAnswer.__name__}"}
    return {
        "description": ". ".join(kind.title for kind in kinds) + ".",
        "content": {MEDIA_TYPE: {"schema": schema}},
        "x-problems": [kind.slug for kind in kinds],
    } | headers("Retry-After" if kinds[0].retry_helps else "x-should-retry")


class _ProblemResponse(JSONResponse):
    """JSON in which half of a surrogate pair, which a caller may have sent, is escaped as it came."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace")


def answer(problem: Problem) -> JSONResponse:
    """The problem document."""
    kind = problem.kind
    body = ProblemAnswer(
        type=f"/problems/{kind.slug}",
        title=kind.title,
        status=kind.status,
        detail=_short(problem.detail),
        errors=[
            ProblemPlace(pointer=_short(where), detail=_short(what))
            for where, what in problem.errors[:MOST_ERRORS]
        ],
    )
    sent = ({"Retry-After": "2"} if kind.retry_helps else {"x-should-retry": "false"}) | problem.headers
    said = body.model_dump(exclude_defaults=True)
    return _ProblemResponse(said, status_code=kind.status, headers=sent)


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> JSONResponse:
        return answer(error)

    @app.exception_handler(InvalidInput)
    async def _invalid(_: Request, error: InvalidInput) -> JSONResponse:
        return answer(_invalid_problem(error))

    @app.exception_handler(RequestValidationError)
    async def _malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [(_pointer(problem["loc"]), _say(problem)) for problem in error.errors()]
        first, what = (_short(text) for text in found[0])
        detail = f"{len(found)} thing(s) are wrong with the request; the first: {first}: {what}"
        return answer(Problem(MALFORMED, detail, found))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            return answer(_other_method(request))
        if isinstance(error.__cause__, RecursionError | ValueError):
            return answer(_unreadable(error.__cause__))
        kind = next((kind for kind in KINDS if kind.status == error.status_code), None)
        kind = kind or replace(OTHER, status=error.status_code)
        return answer(Problem(kind, str(error.detail), headers=dict(error.headers or {})))

    @app.exception_handler(EngineUnavailable)
    async def _engine(_: Request, error: EngineUnavailable) -> JSONResponse:
        return answer(Problem(UNAVAILABLE, str(error)))

    @app.exception_handler(StoreError)
    async def _store(_: Request, error: StoreError) -> JSONResponse:
        return answer(Problem(UNAVAILABLE, str(error)))

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        log.error("request failed", path=request.url.path, error=type(error).__name__)
        problem = Problem(BROKEN, "this request met a mistake of the service; it is in the log")
        problem.headers = ALWAYS | BY_DEFAULT  # this answer is made outside of what adds them
        return answer(problem)


def _other_method(request: Request) -> Problem:
    """All methods of the address: of several routes with one path, the framework would name the first's."""
    routes = request.app.routes
    allowed = [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    detail = f"{request.method} is not for this address; it takes {', '.join(allowed)}"
    return Problem(METHOD, detail, headers={"Allow": ", ".join(allowed)})


def _unreadable(cause: Exception) -> Problem:
    """JSON that the framework could not read, for another reason than its grammar."""
    what = "has a number with too many digits"
    if isinstance(cause, RecursionError):
        what = "is nested too deeply"
    elif isinstance(cause, UnicodeError):
        what = "is not UTF-8"
    return Problem(MALFORMED, f"the body {what}", [("/", what)])


def _invalid_problem(error: InvalidInput) -> Problem:
    first, what = error.problems[0]
    more = f", and {len(error.problems) - 1} more" if len(error.problems) > 1 else ""
    return Problem(INVALID, f"{first}: {what}{more}", error.problems)


def _pointer(location: Sequence[int | str]) -> str:
    parts = location[1:] if location and location[0] in ("body", "query", "path", "header") else location
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts) or "/"


def _say(problem: dict[str, Any]) -> str:
    """Pydantic's words, but for those that a caller would not understand."""
    if problem["type"] == "extra_forbidden":
        return "is not a field of this object"
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "string_unicode":
        return "has half of a surrogate pair, which is no text"
    if problem["type"] == "json_invalid":
        return f"is not JSON: {problem.get('ctx', {}).get('error', '')}"
    text: str = problem["msg"]
    return text.removeprefix("Value error, ")
