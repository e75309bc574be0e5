"""Small input images, and broken ones."""

import io
import struct
import zlib

from PIL import Image

TURNED = 6
"""EXIF orientation: shown a quarter turned."""


def image(
    form: str = "PNG", size: tuple[int, int] = (16, 24), mode: str = "RGB", orientation: int | None = None
) -> bytes:
    data = io.BytesIO()
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new(mode, size).save(data, form, exif=exif)
    return data.getvalue()


def overlay(size: tuple[int, int] = (16, 24)) -> bytes:
    return image(size=size, mode="RGBA")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims so many pixels and holds none."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def webp_of(width: int, height: int) -> bytes:
    """A WebP that claims so many pixels and holds none."""
    head = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + head + b"VP8L" + struct.pack("<I", 6) + b"\x2f" + bytes(5)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG that claims so many pixels and holds none."""
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\1\x11\0"
    scan = b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\1\0\0\x3f\0"
    return b"\xff\xd8" + frame + scan + b"\0\0\xff\xd9"
