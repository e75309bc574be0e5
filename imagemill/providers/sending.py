"""An image request as the SDK takes it; what was not said is not sent."""

import math
import re
from typing import Any, Literal

from imagemill.domain.request import EXTENSIONS, ImageRequest
from imagemill.ports import SentImage, SentInputs
from imagemill.sniff import CONTENT_TYPES

SizeAs = Literal["size", "aspect_ratio", "nothing"]
_ALWAYS = ("model", "prompt", "n", "quality", "output_format")
_IF_SAID = ("output_compression", "background", "complexity", "safety_identifier")
_File = tuple[str, bytes, str]


def generation(request: ImageRequest, *, size_as: SizeAs = "size") -> dict[str, Any]:
    """The parameters of ``images.generate``."""
    return _common(request) | _said(request, "moderation") | _size(request, size_as)


def edit(request: ImageRequest, inputs: SentInputs, *, size_as: SizeAs = "size") -> dict[str, Any]:
    """The parameters of ``images.edit``, which are sent as a form with files.

    A single image goes under the name of ``image``, several under ``image[]``.
    """
    images = [_file(f"image-{number}", image) for number, image in enumerate(inputs.images, 1)]
    extras = {
        name: _file(name, image)
        for name, image in (("mask", inputs.mask), ("markup", inputs.markup))
        if image
    }
    sent = _common(request) | _said(request, "input_fidelity") | _size(request, size_as) | extras
    sent["image"] = images[0] if len(images) == 1 else images
    # The endpoint takes it, but the SDK's method has no parameter for it.
    if moderation := _said(request, "moderation"):
        sent["extra_body"] = sent.get("extra_body", {}) | moderation
    return sent


def aspect_ratio(size: str) -> str | None:
    """A size in pixels as the ratio of its sides: ``3:2`` of ``1536x1024``; None of ``auto``."""
    sides = re.fullmatch(r"(\d+)x(\d+)", size)
    if not sides:
        return None
    width, height = int(sides[1]), int(sides[2])
    shared = math.gcd(width, height) or 1
    return f"{width // shared}:{height // shared}"


def _common(request: ImageRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in _ALWAYS} | _said(request, *_IF_SAID)


def _said(request: ImageRequest, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(request, name)) is not None}


def _size(request: ImageRequest, size_as: SizeAs) -> dict[str, Any]:
    if size_as == "size":
        return {"size": request.size}
    ratio = aspect_ratio(request.size) if size_as == "aspect_ratio" else None
    return {"extra_body": {"aspect_ratio": ratio}} if ratio else {}


def _file(name: str, image: SentImage) -> _File:
    """Name, bytes and MIME type: some providers go by the name's extension, others by the type."""
    return (
        f"{name}.{EXTENSIONS.get(image.format, image.format)}",
        image.data,
        CONTENT_TYPES.get(image.format, f"image/{image.format}"),
    )
