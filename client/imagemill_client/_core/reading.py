"""How answers are read: as models, and as errors."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from imagemill_client import errors
from imagemill_client._core.steps import Reply
from imagemill_client.errors import Place, ServiceError, Unusable

Model = TypeVar("Model", bound=BaseModel)
SHOWN_PLACES = 3

_BY_STATUS: dict[int, type[ServiceError]] = {
    401: errors.AuthenticationError,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Gone,
    429: errors.RateLimited,
}


def read(model: type[Model], reply: Reply) -> Model:
    """An answer as a model.

    Raises:
        Unusable: it is none.
    """
    try:
        return model.model_validate_json(reply.content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "/".join(map(str, first["loc"])) or "the whole"
        raise Unusable(
            f"The answer is no {model.__name__} of Imagemill ({where}: {first['msg']}); is the address right?"
        ) from None


def refusal(reply: Reply, wait: float | None = None) -> ServiceError:
    """The error that an answer is."""
    kind = _BY_STATUS.get(reply.status)
    if kind is None:
        kind = errors.ServiceUnavailable if reply.status >= 500 else errors.InvalidRequest
    body = _problem(reply)
    if body is None:
        text = f"Something answered {reply.status}, in a way that is not Imagemill's."
        return kind(text, status=reply.status, retry_after=wait)
    found = body.get("errors")
    places = [
        Place(str(each.get("pointer", "/")), str(each.get("detail", "")))
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict)
    ]
    said = str(body.get("type")) if body.get("type") else None
    return kind(_sentence(body, places), status=reply.status, type=said, problems=places, retry_after=wait)


def _problem(reply: Reply) -> dict[str, Any] | None:
    try:
        body = json.loads(reply.content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and isinstance(body.get("title"), str) else None


def _sentence(body: dict[str, Any], places: list[Place]) -> str:
    """The title and the detail; with the first places, where the detail does not say them."""
    detail = str(body.get("detail") or "")
    told = [f"{place.pointer}: {place.detail}" for place in places if place.detail not in detail]
    more = len(told) - SHOWN_PLACES
    parts = [part for part in (detail, *told[:SHOWN_PLACES]) if part]
    if more > 0:
        parts.append(f"and {more} more")
    return f"{body['title']}: {'; '.join(parts)}" if parts else str(body["title"])
