"""The server-sent events of a streamed answer."""

import json
import time
from collections.abc import Iterator
from typing import Any

from sandbox.image_api import answer, drawing, errors
from sandbox.image_api.answer import Manner
from sandbox.image_api.kinds import Kind
from sandbox.image_api.order import Order

FAMILIES = {"generations": "image_generation", "edits": "image_edit"}


def build(order: Order, manner: Manner) -> list[bytes]:
    """Draw an order as events. Takes tens of milliseconds an image: not for the event loop.

    The images come one after the other: the partial ones of each, then the whole one with its usage.
    The usages of all images add up to what is billed, so only the first one counts the input.
    """
    if Kind.EMPTY_DATA in manner.oddities:
        return []
    drawn = range(1 if Kind.STREAM_ERROR in manner.oddities else order.n)
    return [event for number in drawn for event in _image(order, number, manner)]


def _image(order: Order, number: int, manner: Manner) -> Iterator[bytes]:
    family = FAMILIES[order.endpoint]
    for index in range(order.partials):
        data = answer.hand_over(manner.given or drawing.partial(order, number, index), order, manner)
        about = {key: value for key, value in _about(order).items() if key != "safety_identifier"}
        yield event(f"{family}.partial_image", {**data, **about, "partial_image_index": index})
    if Kind.STREAM_ERROR in manner.oddities:
        yield event("error", errors.failure(500).body())
        return
    whole = answer.hand_over(answer.image(order, number, manner), order, manner)
    before = order.fewer(number).usage if number else None
    drawn = order.fewer(number + 1).usage
    usage = answer.usage(drawn - before if before else drawn, manner)
    yield event(f"{family}.completed", {**whole, **_about(order), **usage})


def event(name: str, data: dict[str, Any]) -> bytes:
    """One event, as it goes over the wire."""
    text = json.dumps({"type": name, **data}, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()


def _about(order: Order) -> dict[str, Any]:
    return {"created_at": int(time.time()), **answer.settings(order)}
