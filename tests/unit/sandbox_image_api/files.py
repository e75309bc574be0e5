"""Input images for the tests."""

import io
from typing import Any

from PIL import Image, ImageDraw

from sandbox.image_api.attachments import Attachment, Attachments


def photo(width: int = 640, height: int = 480, *, seed: int = 0) -> Image.Image:
    """An image without two rows or columns alike."""
    image = Image.linear_gradient("L").resize((width, height))
    red, blue = image.rotate(90).resize((width, height)), Image.new("L", image.size, 40 + 20 * seed)
    return Image.merge("RGB", (red, image, blue))


def mask(
    width: int = 640, height: int = 480, hole: tuple[int, int, int, int] = (0, 0, 320, 240)
) -> Image.Image:
    """A mask with a rectangular hole, corners included."""
    image = Image.new("RGBA", (width, height), "black")
    ImageDraw.Draw(image).rectangle(hole, fill=(0, 0, 0, 0))
    return image


def encoded(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, image_format, **options)
    return target.getvalue()


def attachment(data: bytes, param: str = "image", mime_type: str = "image/png") -> Attachment:
    return Attachment(param, mime_type, io.BytesIO(data), len(data))


def attachments(*images: Image.Image, **overlays: Image.Image) -> Attachments:
    files = [attachment(encoded(image)) for image in images]
    return Attachments(files, **{name: attachment(encoded(image), name) for name, image in overlays.items()})
