"""What a provider answered on 200, read from the JSON as it came: nothing in it can be relied on."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagemill.domain.errors import OutcomeUnknown
from imagemill.domain.pricing import Usage

_URL_SAFE = str.maketrans("-_", "+/")
_TASK = ("task_id", "taskId", "task_ids")
_UNDER_WAY = {"pending", "queued", "submitted", "processing", "running", "in_progress", "in_queue", "created"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of an answer: its bytes, or an address that shows them for a while."""

    data: bytes | None = None
    url: str | None = None


def read_entries(body: object) -> list[Entry]:
    """The images that an answer holds; entries that can't be read are left out.

    Raises:
        OutcomeUnknown: there are none. The call was accepted all the same, and may be billed.
    """
    if not isinstance(body, Mapping):
        raise OutcomeUnknown("unreadable_answer")
    data = body.get("data")
    listed = data if isinstance(data, list) else []
    entries = [read for entry in listed if isinstance(entry, Mapping) and (read := _entry(entry))]
    if entries:
        return entries
    if any(_is_task(part) for part in (body, data, *listed)):
        raise OutcomeUnknown("asynchronous_answer")
    raise OutcomeUnknown("unreadable_images" if listed else "no_images")


def read_usage(body: object, *, with_images: bool = False) -> Usage | None:
    """The provider's own count; None where it sent none, or one that can't be read or says nothing.

    Of a call ``with_images`` it must say how many of the tokens were theirs, which cost more than text.
    """
    usage = _part(body, "usage")
    details_in, details_out = _part(usage, "input_tokens_details"), _part(usage, "output_tokens_details")
    inputs, outputs = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    image_in = _count(details_in, "image_tokens") if details_in else 0
    text_out = _count(details_out, "text_tokens") if details_out else 0
    if with_images and not _count(details_in, "image_tokens"):
        return None
    if inputs is None or outputs is None or image_in is None or text_out is None:
        return None
    if image_in > inputs or text_out > outputs:
        return None
    read = Usage(
        text_in=inputs - image_in, image_in=image_in, image_out=outputs - text_out, text_out=text_out
    )
    return read if outputs else None


def _entry(entry: Mapping[str, Any]) -> Entry | None:
    encoded, url = entry.get("b64_json"), entry.get("url")
    if isinstance(encoded, str) and encoded:
        return _decoded(encoded)
    if isinstance(url, str) and url:
        return _decoded(url) if url.startswith("data:") else Entry(url=url)
    return None


def _decoded(text: str) -> Entry | None:
    """Base64, bare or as a ``data:`` address; in lines, without padding and for addresses too."""
    if text.startswith("data:"):
        text = text.partition(";base64,")[2]
    bare = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Entry(data=data) if data else None


def _is_task(part: object) -> bool:
    """An id of a task, to be asked for the images later?"""
    if not isinstance(part, Mapping):
        return False
    if any(part.get(name) for name in _TASK):
        return True
    status = part.get("status")
    return "id" in part and isinstance(status, str) and status.lower() in _UNDER_WAY


def _part(holder: object, name: str) -> Mapping[str, Any]:
    part = holder.get(name) if isinstance(holder, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _count(holder: Mapping[str, Any], name: str) -> int | None:
    """A number of tokens, if that is what it is."""
    value = holder.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
