"""What image bytes really are, whatever was asked for or claimed."""

import hashlib
import io

from PIL import Image, UnidentifiedImageError

from imagemill.domain.item import ImageFacts
from imagemill.provenance import has_manifest

CONTENT_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
    "gif": "image/gif",
}
UNKNOWN = "application/octet-stream"
UNKNOWN_FORMAT = "unknown"
_SAME = {"mpo": "jpeg"}
"""A JPEG that holds another one, as a preview for example."""


def facts_of(data: bytes) -> ImageFacts:
    """Hash, format, pixels, and whether there is a provenance manifest; nothing is decoded.

    Bytes of no known format are ``unknown``, 0x0.
    """
    digest = hashlib.sha256(data).hexdigest()
    try:
        with Image.open(io.BytesIO(data)) as image:
            (width, height), kind = image.size, (image.format or "unknown").lower()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        (width, height), kind = (0, 0), "unknown"
    return ImageFacts(
        sha256=digest,
        bytes=len(data),
        width=width,
        height=height,
        format=_SAME.get(kind, kind),
        c2pa=has_manifest(data),
    )


def content_type(facts: ImageFacts) -> str:
    """The MIME type of what the bytes are."""
    return CONTENT_TYPES.get(facts.format, UNKNOWN)
