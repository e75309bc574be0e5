"""The provider's refusals of calls that are too many or too large for a minute."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.image_api.errors import ApiError


@dataclass(frozen=True, slots=True)
class Unit:
    """What a minute counts, in the error's type and in its message."""

    type: str
    words: str


IMAGES = Unit("input-images", "input-images per min")
TOKENS = Unit("tokens", "tokens per min (TPM)")


def rate_limited(
    model: str,
    *,
    unit: Unit = IMAGES,
    limit: int,
    used: int,
    requested: int,
    seconds: float,
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    """429: too much this minute; `seconds` is when to come back."""
    counts = f"Limit {limit}, Used {used}, Requested {requested}. Please try again in {spell(seconds)}."
    waits = {"retry-after-ms": str(math.ceil(seconds * 1000)), "retry-after": str(math.ceil(seconds))}
    return _too_much("Rate limit reached", model, unit, counts, {**(headers or {}), **waits})


def request_too_large(
    model: str,
    *,
    unit: Unit = IMAGES,
    limit: int,
    requested: int,
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    """429: the call asks for more than a minute may ever hold, so it can never succeed."""
    counts = f"Limit {limit}, Requested {requested}."
    return _too_much("Request too large", model, unit, counts, headers or {})


def _too_much(what: str, model: str, unit: Unit, counts: str, headers: Mapping[str, str]) -> ApiError:
    message = f"{what} for {model} in organization org-sandbox on {unit.words}: {counts}"
    return ApiError(429, message, unit.type, "rate_limit_exceeded", headers=headers)


def spell(seconds: float) -> str:
    """A wait as the provider writes it: ``120ms``, ``12s`` or ``58.891s``."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    return f"{round(seconds, 3):g}s"
