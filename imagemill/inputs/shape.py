"""What an image file says of itself, read from its structure without decoding a pixel.

Nothing here allocates by what a file claims, so a decompression bomb costs no more than its bytes.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MOST_PARTS = 100_000
"""A file of more chunks or segments is made to be slow to read."""

_TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""

_OTHER_FORMATS = (
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"\0\0\1\0",
    b"8BPS",
    b"\xff\x0a",
    b"%PDF",
    b"<svg",
    b"<?xml",
)


class NotAnImage(Exception):
    """The bytes are no image of any format that is known here."""


class OtherFormat(Exception):
    """The bytes are an image of a format that is not taken."""


class Damaged(Exception):
    """The bytes begin as an image, and are cut off or wrong inside."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Format (``png``, ``jpeg``, ``webp``), pixels as stored, and what matters for a mask."""

    format: str
    width: int
    height: int
    alpha: bool = False
    turned: bool = False
    """It is shown with width and height exchanged."""

    @property
    def stored(self) -> tuple[int, int]:
        """Width and height as stored."""
        return self.width, self.height

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height as they are seen."""
        return (self.height, self.width) if self.turned else self.stored


def read_shape(data: bytes) -> Shape:
    """The shape of an image file, whatever its name or type claims.

    Raises:
        NotAnImage, OtherFormat, Damaged: see there.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        raise Damaged from None
    if data.startswith(_OTHER_FORMATS) or data[4:8] == b"ftyp":
        raise OtherFormat
    raise NotAnImage


# --- PNG -----------------------------------------------------------------------------------------


def _png(data: bytes) -> Shape:
    width = height = color = 0
    kinds: set[bytes] = set()
    orientation = 1
    for number, (kind, body) in enumerate(_png_chunks(data)):
        if (kind == b"IHDR") != (number == 0):
            raise Damaged
        if kind == b"IHDR":
            width, height, _, color = struct.unpack_from(">IIBB", body)
        elif kind == b"eXIf":
            orientation = _orientation(bytes(body))
        kinds.add(kind)
    if not {b"IDAT", b"IEND"} <= kinds:
        raise Damaged
    alpha = color in (4, 6) or b"tRNS" in kinds
    return Shape("png", width, height, alpha, orientation in _TURNED)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, position = memoryview(data), 8
    for _ in range(MOST_PARTS):
        length, kind = struct.unpack_from(">I4s", view, position)
        end = position + 12 + length
        if end > len(view):
            raise Damaged
        critical = not kind[0] & 0x20
        (said,) = struct.unpack_from(">I", view, end - 4)
        if critical and zlib.crc32(view[position + 4 : end - 4]) != said:
            raise Damaged
        yield kind, view[position + 8 : end - 4]
        if kind == b"IEND":
            return
        position = end
    raise Damaged


# --- JPEG ----------------------------------------------------------------------------------------

_ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a length."""
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1


def _jpeg(data: bytes) -> Shape:
    width = height = 0
    orientation = 1
    for marker, start, end in _jpeg_segments(data):
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, start + 1)
        elif marker == _APP1 and data[start : start + 6] == b"Exif\0\0":
            orientation = _orientation(data[start + 6 : end])
        elif marker == _SCAN:
            # In what a scan holds, a marker is escaped: the end is there only if the file is whole.
            if not width or data.find(b"\xff\xd9", end) < 0:
                raise Damaged
            return Shape("jpeg", width, height, turned=orientation in _TURNED)
    raise Damaged


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each segment's marker, and where its body begins and ends; the first scan is the last one."""
    position = 2
    for _ in range(MOST_PARTS):
        if data[position] != 0xFF:
            raise Damaged
        while data[position] == 0xFF:  # any number of them may come before a marker
            position += 1
        marker = data[position]
        position += 1
        if marker in _ALONE:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        end = position + length
        if marker == _END or length < 2 or end > len(data):
            raise Damaged
        yield marker, position + 2, end
        if marker == _SCAN:
            return
        position = end
    raise Damaged


# --- WebP ----------------------------------------------------------------------------------------


def _webp(data: bytes) -> Shape:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise Damaged
    found: Shape | None = None
    orientation, drawn = 1, False
    for kind, start, end in _webp_chunks(data, size + 8):
        drawn = drawn or kind in (b"VP8 ", b"VP8L", b"ANMF")
        if kind == b"EXIF":
            orientation = _orientation(data[start:end].removeprefix(b"Exif\0\0"))
        found = found or _webp_shape(kind, data[start : min(end, start + 16)])
    if found is None or not drawn:
        raise Damaged
    return Shape("webp", found.width, found.height, found.alpha, orientation in _TURNED)


def _webp_shape(kind: bytes, head: bytes) -> Shape | None:
    if kind == b"VP8X":
        width = int.from_bytes(head[4:7], "little") + 1
        return Shape("webp", width, int.from_bytes(head[7:10], "little") + 1, bool(head[0] & 0x10))
    if kind == b"VP8 ":
        if head[3:6] != b"\x9d\x01\x2a":
            raise Damaged
        width, height = struct.unpack_from("<HH", head, 6)
        return Shape("webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        if head[0] != 0x2F:
            raise Damaged
        (bits,) = struct.unpack_from("<I", head, 1)
        return Shape("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    return None


def _webp_chunks(data: bytes, whole: int) -> Iterator[tuple[bytes, int, int]]:
    position = 12
    for _ in range(MOST_PARTS):
        if position + 8 > whole:
            return
        kind, length = struct.unpack_from("<4sI", data, position)
        start, end = position + 8, position + 8 + length
        if end > whole:
            raise Damaged
        yield kind, start, end
        position = end + length % 2
    raise Damaged


# --- EXIF ----------------------------------------------------------------------------------------


def _orientation(tiff: bytes) -> int:
    """The orientation that EXIF data tell; 1, upright, where they don't or can't be read."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, offset)
        for number in range(entries):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, offset + 2 + 12 * number)
            if (tag, kind) == (0x0112, 3):
                return int(value)
    except struct.error:
        return 1
    return 1
