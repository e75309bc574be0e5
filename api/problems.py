"""Errors as callers see them: RFC 9457 problem documents with stable types."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from imagemill.domain.errors import EngineUnavailable, InvalidInput, StoreError

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"


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
NO_CAP = Kind("no-tenant-cap", 403, "The tenant has no cap")
NOT_FOUND = Kind("not-found", 404, "There is no such thing")
JOB_LOST = Kind("job-lost", 410, "The job was accepted, but the engine has forgotten it")
JOB_RUNS = Kind("job-not-ended", 409, "The job has not ended")
NO_REPORT = Kind("no-report", 410, "The job has left no report")
JOB_ENDED = Kind("job-ended", 409, "The job has ended")
KEY_REUSED = Kind("idempotency-key-reused", 422, "The idempotency key belongs to another submission")
TOO_LARGE = Kind("too-large", 413, "The request is too large")
ESTIMATE_SLOW = Kind("estimate-too-slow", 504, "The estimate takes longer than a caller can wait")
TOO_MANY_STREAMS = Kind("too-many-streams", 429, "Too many streams of events are open", retry_helps=True)
NAMED_VARIANTS = Kind("variant-needed", 422, "The item comes in several variants")
UNAVAILABLE = Kind("unavailable", 503, "A part that the service stands on is away", retry_helps=True)
OTHER = Kind("http-error", 400, "The request can't be answered")
BROKEN = Kind("internal-error", 500, "The service made a mistake")
KINDS = (
    INVALID,
    MALFORMED,
    UNAUTHORIZED,
    FORBIDDEN,
    NO_CAP,
    NOT_FOUND,
    JOB_LOST,
    JOB_RUNS,
    NO_REPORT,
    JOB_ENDED,
    KEY_REUSED,
    TOO_LARGE,
    ESTIMATE_SLOW,
    TOO_MANY_STREAMS,
    NAMED_VARIANTS,
    UNAVAILABLE,
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


def answer(problem: Problem) -> JSONResponse:
    """The problem document."""
    kind = problem.kind
    body: dict[str, Any] = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = [{"pointer": where, "detail": what} for where, what in problem.errors]
    headers = problem.headers | ({"Retry-After": "2"} if kind.retry_helps else {"x-should-retry": "false"})
    return JSONResponse(body, status_code=kind.status, media_type=MEDIA_TYPE, headers=headers)


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
        detail = f"{len(found)} thing(s) are wrong with the request; the first: {found[0][0]}: {found[0][1]}"
        return answer(Problem(MALFORMED, detail, found))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
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
        return answer(Problem(BROKEN, "this request met a mistake of the service; it is in the log"))


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
    if problem["type"] == "json_invalid":
        return f"is not JSON: {problem.get('ctx', {}).get('error', '')}"
    text: str = problem["msg"]
    return text.removeprefix("Value error, ")
