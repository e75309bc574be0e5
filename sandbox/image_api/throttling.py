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
    message = (
        f"Rate limit reached for {model} in organization org-sandbox on {unit.words}: "
        f"Limit {limit}, Used {used}, Requested {requested}. Please try again in {spell(seconds)}."
    )
    waits = {"retry-after-ms": str(math.ceil(seconds * 1000)), "retry-after": str(math.ceil(seconds))}
    return ApiError(429, message, unit.type, "rate_limit_exceeded", headers={**(headers or {}), **waits})


def request_too_large(
    model: str,
    *,
    unit: Unit = IMAGES,
    limit: int,
    requested: int,
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    """429: the call asks for more than a minute may ever hold, so it can never succeed."""
    message = (
        f"Request too large for {model} in organization org-sandbox on {unit.words}: "
        f"Limit {limit}, Requested {requested}."
    )
    return ApiError(429, message, unit.type, "rate_limit_exceeded", headers=headers or {})


def spell(seconds: float) -> str:
    """A wait as the provider writes it: ``120ms``, ``12s`` or ``58.891s``."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    return f"{round(seconds, 3):g}s"
