"""An answer of the service as JSON and as a model, and its problems as sentences."""

import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from cli.errors import CliError, EstimateSlow, Refused, ServiceAway, problem_text
from cli.service import KEY

SLOW = "/problems/estimate-too-slow"
PROBLEMS = "/problems/"
PASSING = (429, 502, 503, 504)
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Told(Generic[Model]):
    """An answer.

    Attributes:
        document: as it came, for programs.
        model: what is read of it, for people.
    """

    document: dict[str, Any]
    model: Model


def read(model: type[Model], answer: httpx2.Response) -> Model:
    """What is read of an answer.

    Raises:
        CliError: it is the answer of something else.
    """
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        raise _foreign(answer) from None


def document(answer: httpx2.Response) -> dict[str, Any]:
    """An answer as it came; of one without a body, nothing."""
    if not answer.content:
        return {}
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _foreign(answer)
    return found


def refusal(answer: httpx2.Response) -> CliError:
    """Why the service did not do what it was asked to."""
    text, kind = _problem(answer)
    if kind == SLOW:
        return EstimateSlow(text)
    if answer.status_code in PASSING:
        return ServiceAway(text, wait=retry_after(answer), answered=True)
    if answer.status_code == 401:
        text += f"\n  The key is read from {KEY} where --url or IMAGEMILL_URL is given."
    return Refused(text)


def retry_after(answer: httpx2.Response) -> float | None:
    """The seconds after which it is worth asking again."""
    try:
        return max(0.0, float(answer.headers.get("Retry-After", "")))
    except ValueError:
        return None


def _foreign(answer: httpx2.Response) -> CliError:
    return CliError(f"What {answer.url.host} answered is not what Imagemill answers; is the address right?")


def _problem(answer: httpx2.Response) -> tuple[str, object]:
    """The problem document that the service sent, or what a proxy in between said; and its type, if any."""
    plain = f"The service answered {answer.status_code} {answer.reason_phrase}".rstrip()
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return plain, None
    if not isinstance(body, dict) or not isinstance(body.get("title"), str):
        return plain, None
    places = body.get("errors")
    errors = [
        (str(each.get("pointer", "/")), str(each.get("detail", "")))
        for each in (places if isinstance(places, list) else [])
        if isinstance(each, dict)
    ]
    return problem_text(body["title"], str(body.get("detail") or ""), errors), body.get("type")
