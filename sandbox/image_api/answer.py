"""The body of a successful answer, odd ones included."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from sandbox.image_api import picture
from sandbox.image_api.faults import Kind
from sandbox.image_api.order import Order

Link = Callable[[bytes, str], str]
OTHER_FORMAT = {"png": "jpeg", "jpeg": "png", "webp": "png"}


def build(order: Order, kind: Kind | None, link: Link) -> bytes:
    """Draw an order and say so in JSON. Takes tens of milliseconds an image: not for the event loop.

    `kind` is the fault that the answer suffers from. `link` publishes an image of a MIME type and gives
    its URL, for answers that come with addresses instead of bytes.
    """
    answer: dict[str, Any] = {
        "created": int(time.time()),
        "background": "transparent" if order.transparent else "opaque",
        "data": [] if kind is Kind.EMPTY_DATA else [_image(order, i, kind, link) for i in range(order.n)],
        "output_format": order.output_format,
        "quality": order.quality,
        "size": order.size,
        "usage": order.usage.as_json(),
    }
    if kind is Kind.NO_USAGE:
        del answer["usage"]
    elif kind is Kind.ZERO_USAGE:
        answer["usage"] = _zeroed(answer["usage"])
    elif kind is Kind.EXTRA_FIELDS:
        _embellish(answer)
    return json.dumps(answer, separators=(",", ":")).encode()


def _image(order: Order, number: int, kind: Kind | None, link: Link) -> dict[str, Any]:
    image_format = OTHER_FORMAT[order.output_format] if kind is Kind.WRONG_MIME else order.output_format
    image = picture.draw(
        order.prompt,
        width=order.width,
        height=order.height,
        number=number,
        output_format=image_format,
        compression=order.compression,
        transparent=order.transparent and image_format != "jpeg",
    )
    if kind is Kind.URL_INSTEAD:
        return {"url": link(image, f"image/{image_format}")}
    return {"b64_json": base64.b64encode(image).decode()}


def _zeroed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _zeroed(part) for name, part in value.items()}
    return 0


def _embellish(answer: dict[str, Any]) -> None:
    """Add fields that no description of the API knows."""
    answer["provenance"] = {"generator": "sandbox", "trail": [1, 2, 3]}
    answer["usage"]["cached_tokens"] = None
    for image in answer["data"]:
        image["revised_prompt"] = None
        image["watermark"] = {"kind": "none"}
