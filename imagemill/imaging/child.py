"""The process that decodes and encodes images: its memory is limited by the system, its time by who asks.

An order is a JSON line, which says how many bytes each image has that follows it; the answer is another,
followed by what was made. ``{"sizes": [n], "copies": [...]}`` asks for copies of one image;
``{"sizes": [n, …], "sheet": {...}}`` for all of them on one sheet.
"""

import json
import os
import resource
import signal
import sys
from typing import Any

from PIL import Image

from imagemill.domain.gallery import SheetOrder
from imagemill.domain.renditions import Rendition
from imagemill.imaging.picture import TooManyPixels, encoded, opened
from imagemill.imaging.sheet import drawn

NICENESS = 10
"""Paid calls and heartbeats come first."""
MEGABYTE = 1024 * 1024

Made = tuple[dict[str, Any], bytes]


def main() -> None:
    """Make images until the input ends."""
    memory = int(sys.argv[1]) * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    os.nice(NICENESS)
    for ignored in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group; it ends with its input
        signal.signal(ignored, signal.SIG_IGN)
    Image.MAX_IMAGE_PIXELS = None  # its own limit is checked before anything is decoded
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        order = json.loads(line)
        images = [source.read(size) for size in order["sizes"]]
        made = _sheet(order, images) if "sheet" in order else _copies(order, images[0])
        facts = [said | {"size": len(data)} for said, data in made]
        target.write(json.dumps({"made": facts}).encode() + b"\n")
        target.writelines(data for _, data in made)
        target.flush()


def _copies(order: dict[str, Any], data: bytes) -> list[Made]:
    """Copies of one image, which is decoded once."""
    specs = [Rendition.model_construct(**spec) for spec in order["copies"]]
    try:
        image = opened(data, specs)
    except Exception as error:  # noqa: BLE001 - a decoder's own mistake, on this image's bytes
        return [({"problem": problem_of(error)}, b"")] * len(specs)
    return [_copy(image, spec) for spec in specs]


def _copy(image: Image.Image, spec: Rendition) -> Made:
    try:
        data, (width, height) = encoded(image, spec)
    except Exception as error:  # noqa: BLE001 - the encoder's
        return {"problem": problem_of(error)}, b""
    return {"width": width, "height": height}, data


def _sheet(order: dict[str, Any], images: list[bytes]) -> list[Made]:
    try:
        data, (width, height) = drawn(SheetOrder(**order["sheet"]), images)
    except Exception as error:  # noqa: BLE001
        return [({"problem": problem_of(error)}, b"")]
    return [({"width": width, "height": height}, data)]


def problem_of(error: Exception) -> str:
    """In a word, for the log: a decoder's message may repeat what the image holds."""
    if isinstance(error, TooManyPixels):
        return "too_many_pixels"
    return "no_memory" if isinstance(error, MemoryError) else f"unreadable_{type(error).__name__}"


if __name__ == "__main__":
    main()
