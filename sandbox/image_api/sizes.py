"""Which sizes can be drawn, and what is drawn when none is named."""

import math
import re

from sandbox.image_api import errors
from sandbox.image_api.catalog import Family
from sandbox.image_api.fields import unsupported

PIXELS = range(655_360, 8_294_400 + 1)
LONGEST_EDGE = 3840
STANDARD = ((1024, 1024), (1536, 1024), (1024, 1536))
# What a provider draws that takes an aspect ratio in the place of a size.
ASPECT_RATIOS = {
    "1:1": (1024, 1024),
    "3:2": (1536, 1024),
    "2:3": (1024, 1536),
    "4:3": (1024, 768),
    "3:4": (768, 1024),
    "16:9": (1536, 864),
    "9:16": (864, 1536),
}

Size = tuple[int, int]


def read(size: str, family: Family) -> Size:
    """Width and height, in pixels, of a size as the API writes it.

    Raises:
        ApiError: 400 for `size`: not legal for these models.
    """
    if family.sizes and size not in family.sizes:
        raise _refused("size", unsupported(size, (*family.sizes, "auto")))
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", size, re.ASCII)
    fault = "expected WIDTHxHEIGHT or auto" if match is None else _fault(int(match[1]), int(match[2]))
    if match is None or fault:
        raise _refused("size", f"Invalid size '{size}': {fault}.")
    return int(match[1]), int(match[2])


def of_ratio(ratio: str, family: Family) -> Size:
    """Width and height, in pixels, for an aspect ratio such as ``3:2``.

    Raises:
        ApiError: 400 for `aspect_ratio`: these models draw none like that.
    """
    legal = {
        name: size
        for name, size in ASPECT_RATIOS.items()
        if not family.sizes or "{}x{}".format(*size) in family.sizes
    }
    if ratio not in legal:
        raise _refused("aspect_ratio", unsupported(ratio, (*legal, "auto")))
    return legal[ratio]


def like(width: int, height: int) -> Size:
    """The standard size whose shape is nearest to that of an image."""
    return min(STANDARD, key=lambda size: abs(math.log(size[0] * height / (size[1] * width))))


def _refused(param: str, message: str) -> errors.ApiError:
    return errors.invalid_value(param, message, type=errors.GENERATION)


def _fault(width: int, height: int) -> str | None:
    if width % 16 or height % 16:
        return "width and height must both be divisible by 16"
    if max(width, height) > LONGEST_EDGE:
        return f"the longest edge must be at most {LONGEST_EDGE} pixels"
    if max(width, height) > 3 * min(width, height):
        return "the aspect ratio must be between 1:3 and 3:1"
    if width * height not in PIXELS:
        return f"the total must be {PIXELS.start} to {PIXELS.stop - 1} pixels"
    return None
