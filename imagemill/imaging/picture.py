"""One image decoded for its copies: upright, in sRGB, 8 bits a channel; and the copies, encoded."""

import io
from collections.abc import Sequence

from PIL import Image, ImageCms, ImageOps

from imagemill.domain.renditions import THUMBNAIL, Rendition

MOST_PIXELS = 64_000_000
"""Decoded, four bytes each: what fits into the process' memory with its copies."""
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF")
WHITE = "#ffffff"
THUMBNAIL_EFFORT = 2
"""Of 6: half the time, and a size that differs by a few percent."""
_SRGB = ImageCms.createProfile("sRGB")


class TooManyPixels(Exception):
    """The image would not fit into memory."""


def opened(data: bytes, specs: Sequence[Rendition]) -> Image.Image:
    """The image, decoded: of a JPEG no more than the largest copy needs.

    Raises:
        TooManyPixels: it is a decompression bomb, or a picture for another service.
        OSError, ValueError, SyntaxError: the bytes are broken, or no image.
    """
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MOST_PIXELS:
        raise TooManyPixels
    needed = [_covering(spec, image.width, image.height) for spec in specs]
    if image.format == "JPEG" and needed:
        side = max(max(size) for size in needed)  # of both, since it may be turned
        image.draft(None, (side, side))
    image.load()
    return _plain(ImageOps.exif_transpose(image))


def encoded(image: Image.Image, spec: Rendition) -> tuple[bytes, tuple[int, int]]:
    """A copy by its specification, without any metadata, and its size."""
    fitted = _on_background(_fitted(image, spec), spec)
    out = io.BytesIO()
    fitted.save(out, _FORMAT[spec.format], **_options(spec))
    return out.getvalue(), fitted.size


_FORMAT = {"webp": "WEBP", "avif": "AVIF", "jpeg": "JPEG", "png": "PNG"}


def _options(spec: Rendition) -> dict[str, int | bool]:
    """What the encoder is told: small files, at an effort that fits between paid calls."""
    return {
        "webp": {"quality": spec.level, "method": THUMBNAIL_EFFORT if spec.name == THUMBNAIL else 4},
        "avif": {"quality": spec.level, "speed": 7, "max_threads": 1},
        "jpeg": {"quality": spec.level, "progressive": True, "optimize": True},
        "png": {"compress_level": 7},
    }[spec.format]


def _covering(spec: Rendition, width: int, height: int) -> tuple[int, int]:
    """How large the whole image is in a copy, what is cut off included."""
    wide, high = spec.size_of(width, height)
    if spec.fit != "cover":
        return wide, high
    scale = max(wide / width, high / height)
    return round(width * scale), round(height * scale)


def _plain(image: Image.Image) -> Image.Image:
    """RGB, or RGBA where anything is transparent, in the colours of sRGB."""
    profile = image.info.get("icc_profile")
    image = _eight_bits(image)
    if image.mode in ("P", "PA", "1") or "transparency" in image.info:
        transparent = image.has_transparency_data
        image = image.convert("RGBA" if transparent else "RGB")
    if image.mode == "LA":
        image, profile = image.convert("RGBA"), None
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        image = _in_srgb(image, profile)
    image = image if image.mode in ("RGB", "RGBA") else image.convert("RGB")
    image.info.clear()
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits; what Pillow has of other images is 8 bits wide already."""
    if image.mode.startswith("I"):
        wide = image.convert("I")
        return wide.point(lambda level: level * (1 / 257)).convert("L")
    return image


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a broken profile, or one of another kind of image: taken as sRGB
    return converted or image


def _fitted(image: Image.Image, spec: Rendition) -> Image.Image:
    """In the size that it is to have; what contain adds is transparent."""
    size = spec.size_of(image.width, image.height)
    if spec.fit == "cover":
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    if spec.fit == "contain":
        scale = min(size[0] / image.width, size[1] / image.height)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        ground = Image.new("RGBA", size, (0, 0, 0, 0))
        at = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
        ground.paste(image.convert("RGBA").resize(inner, Image.Resampling.LANCZOS), at)
        return ground
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _on_background(image: Image.Image, spec: Rendition) -> Image.Image:
    """Without transparency where the format has none, or a background is asked for."""
    if image.mode != "RGBA" or (spec.background is None and spec.format != "jpeg"):
        return image
    ground = Image.new("RGBA", image.size, spec.background or WHITE)
    return Image.alpha_composite(ground, image).convert("RGB")
