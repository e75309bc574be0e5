"""The body of a successful answer, odd ones included."""

import base64
import json
import time
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

from sandbox.image_api import drawing
from sandbox.image_api.kinds import Kind
from sandbox.image_api.order import Order
from sandbox.image_api.tokens import Usage

Link = Callable[[bytes, str], str]
OTHER_FORMAT = {"png": "jpeg", "jpeg": "png", "webp": "png"}
BASE64_LINE = 76


@dataclass(frozen=True, slots=True)
class Manner:
    """How images are handed over.

    `oddities` are the faults that the answer suffers from. `link` publishes an image of a MIME type and
    gives its URL, for answers that come with addresses instead of bytes. `given` is delivered in the
    place of a drawing.
    """

    oddities: Set[Kind]
    link: Link
    given: bytes | None = None


def build(order: Order, manner: Manner) -> bytes:
    """Draw an order and say so in JSON. Takes tens of milliseconds an image: not for the event loop."""
    drawn = range(0 if Kind.EMPTY_DATA in manner.oddities else order.n)
    answer = {
        "created": int(time.time()),
        **settings(order),
        "data": [hand_over(image(order, number, manner), order, manner) for number in drawn],
        **usage(order.usage, manner),
    }
    if Kind.EXTRA_FIELDS in manner.oddities:
        _embellish(answer)
    return json.dumps(answer, separators=(",", ":")).encode()


def settings(order: Order) -> dict[str, Any]:
    """What an answer says about how it was drawn."""
    said: dict[str, Any] = {
        "background": "transparent" if order.transparent else "opaque",
        "output_format": order.output_format,
        "quality": order.quality,
        "size": order.size,
    }
    if order.identifier:
        said["safety_identifier"] = order.identifier
    return said


def image(order: Order, number: int, manner: Manner) -> bytes:
    """Image `number`: the given bytes, or a drawing."""
    return manner.given or drawing.image(order, number, _format(order, manner))


def hand_over(data: bytes, order: Order, manner: Manner) -> dict[str, Any]:
    """An image as an answer holds it."""
    if Kind.URL_INSTEAD in manner.oddities:
        return {"url": manner.link(data, f"image/{_format(order, manner)}")}
    text = base64.b64encode(data).decode()
    if Kind.ODD_BASE64 in manner.oddities:
        bare = text.rstrip("=")
        text = "\n".join(bare[start : start + BASE64_LINE] for start in range(0, len(bare), BASE64_LINE))
    elif Kind.BROKEN_BASE64 in manner.oddities:
        text = "%" + text[1:-1]
    elif Kind.DATA_URL in manner.oddities:
        text = f"data:image/{_format(order, manner)};base64,{text}"
    return {"b64_json": text}


def usage(tokens: Usage, manner: Manner) -> dict[str, Any]:
    """The `usage` of an answer, or nothing where it has none."""
    if Kind.NO_USAGE in manner.oddities:
        return {}
    if Kind.ZERO_USAGE in manner.oddities:
        return {"usage": Usage(0, 0, 0).as_json()}
    return {"usage": tokens.as_json()}


def _format(order: Order, manner: Manner) -> str:
    is_wrong = Kind.WRONG_MIME in manner.oddities
    return OTHER_FORMAT[order.output_format] if is_wrong else order.output_format


def _embellish(answer: dict[str, Any]) -> None:
    """Add fields that no description of the API knows."""
    answer["provenance"] = {"generator": "sandbox", "trail": [1, 2, 3]}
    answer.setdefault("usage", {})["cached_tokens"] = None
    for image in answer["data"]:
        image["revised_prompt"] = None
        image["watermark"] = {"kind": "none"}
