"""What an answer says of the provider's limits: its headers, and the text of a 429."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from imagemill.domain.pace import Told

LONGEST_WAIT = 3600.0
"""Seconds. Some send a date as a number, which would be a wait for ever."""
MOST = 10**10
"""A larger number than this is no limit, and neither is one below 1: some say ``-1`` where there is none."""
_WORDS = 4096

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(
    r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|hours?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])\s*", re.I
)
_COME_BACK = re.compile(r"(?:try again in|retry after)\s+", re.I)
_LIMIT = re.compile(r"\bLimit:?\s*([\d,]+)")
_USED = re.compile(r"\b(?:Used|Current):?\s*([\d,]+)")
_REQUESTED = re.compile(r"\bRequested:?\s*([\d,]+)")
_PER = re.compile(r"\bon\s+([a-z][a-z -]*?)\s+per\s+(min|day|hour)", re.I)

What = Literal["images", "tokens"]


@dataclass(frozen=True, slots=True)
class _Words:
    """What the text of a 429 says; None where it does not."""

    over: What | None = None
    limit: int | None = None
    used: int | None = None


def read_told(headers: Mapping[str, str], message: str, status: int) -> Told | None:
    """What one answer tells of the limits; None where it tells nothing.

    Headers for images beat the text, which beats the headers for requests: those may count something else.
    """
    words = _read_words(message[:_WORDS]) if status == 429 else _Words()
    said = _read_images(headers, words) | _read_headers(headers, "tokens", words)
    if status == 429:
        said |= {"wait": retry_after(headers, message), "over": words.over}
    return None if all(value is None for value in said.values()) else Told.model_validate(said)


def retry_after(headers: Mapping[str, str], message: str) -> float | None:
    """Seconds to wait: ``retry-after-ms`` beats ``retry-after`` beats the message's own words."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return _bounded(float(headers[name]) * scale)
        except (KeyError, ValueError):
            continue
    said = _COME_BACK.search(message[:_WORDS])
    return duration(message[said.end() : _WORDS]) if said else None


def duration(text: str) -> float | None:
    """Seconds, of ``120ms``, ``58.891s``, ``1m30s``, ``6m0s``, ``2 minutes``; None where there are none."""
    seconds, end, found = 0.0, 0, False
    while part := _PART.match(text, end):
        number, unit = float(part[1]), part[2].lower()
        scale = 0.001 if unit.startswith(("ms", "mil")) else _SECONDS[unit[0]]
        seconds, end, found = seconds + number * scale, part.end(), True
    return _bounded(seconds) if found else None


def never_fits(message: str) -> bool:
    """Does a 429 say that this one request asks for more than the limit itself?"""
    words = message[:_WORDS]
    limit, requested = _number(_LIMIT, words), _number(_REQUESTED, words)
    return limit is not None and requested is not None and requested > limit


def _read_images(headers: Mapping[str, str], words: _Words) -> dict[str, Any]:
    own = any(name.lower().endswith("-input-images") for name in headers)
    if own or (words.over == "images" and words.limit is not None):
        return _read_headers(headers, "images", words, "input-images")
    return _read_headers(headers, "images", words, "requests")


def _read_headers(
    headers: Mapping[str, str], what: What, words: _Words, name: str | None = None
) -> dict[str, Any]:
    """The three facts of one kind: from the headers of that name, or else from the text."""
    name = name or what
    limit = _count(headers.get(f"x-ratelimit-limit-{name}"))
    left = _count(headers.get(f"x-ratelimit-remaining-{name}"), least=0)
    if words.over == what and words.limit is not None:
        limit = words.limit if limit is None else limit
        left = max(0, words.limit - words.used) if left is None and words.used is not None else left
    reset = headers.get(f"x-ratelimit-reset-{name}")
    return {
        f"{what}_limit": limit,
        f"{what}_left": left if left is None or limit is None else min(left, limit),
        f"{what}_reset": None if reset is None else _reset(reset),
    }


def _read_words(message: str) -> _Words:
    """A 429's own numbers, where they are of a minute; requests stand for images."""
    said = _PER.search(message)
    if not said:
        return _Words()
    over: What = "tokens" if "token" in said[1].lower() else "images"
    if said[2].lower() != "min":
        return _Words(over)
    return _Words(over, _count(_digits(_LIMIT, message)), _number(_USED, message))


def _reset(text: str) -> float | None:
    try:
        return _bounded(float(text))
    except ValueError:
        return duration(text.strip())


def _bounded(seconds: float) -> float:
    """Between nothing and an hour."""
    return min(max(0.0, seconds), LONGEST_WAIT) if math.isfinite(seconds) else LONGEST_WAIT


def _count(text: str | None, *, least: int = 1) -> int | None:
    """A number of images or tokens, if that is what it is."""
    if text is None or not re.fullmatch(r"\s*\d{1,11}(?:\.0*)?\s*", text, re.ASCII):
        return None
    number = int(float(text))
    return number if least <= number <= MOST else None


def _digits(pattern: re.Pattern[str], message: str) -> str | None:
    found = pattern.search(message)
    return found[1].replace(",", "") if found else None


def _number(pattern: re.Pattern[str], message: str) -> int | None:
    digits = _digits(pattern, message)
    return int(digits) if digits and len(digits) <= 15 else None
