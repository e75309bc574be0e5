"""The machine-readable pattern in every picture: which prompt made it, and which of its images it is.

Two bands of square cells run along the top and the bottom edge. Each carries the whole payload, row by
row, most significant bit first: two bytes that say "pattern", the SHA-256 of the prompt, the image's
number, and a CRC-32. The cells are a multiple of the blocks of JPEG and WebP and lie on their grid, so
that even the strongest compression leaves their brightness on the right side of grey.
"""

import io
import zlib
from dataclasses import dataclass
from hashlib import sha256

from PIL import Image

CELL = 16
MARK = b"\xa5\x1e"
PAYLOAD_BITS = 8 * (len(MARK) + 32 + 1 + 4)
# Of the mark's 16 bits, so many must be right for a picture to count as damaged instead of foreign.
MARK_BITS_NEEDED = 13

Color = tuple[int, int, int]
DARK: Color = (24, 24, 32)
LIGHT: Color = (240, 240, 236)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a picture says about itself: the SHA-256 (32 bytes) of its prompt and its number, from 0."""

    prompt_sha256: bytes
    number: int


class PatternError(ValueError):
    """The picture does not say which prompt made it."""


class PatternAbsentError(PatternError):
    """These bytes are no picture of the sandbox."""


class PatternDamagedError(PatternError):
    """The picture carries a pattern, but its checksum is wrong in both bands."""


def of(prompt: str, number: int = 0) -> Pattern:
    """The pattern that image `number` of `prompt` must carry."""
    return Pattern(sha256(prompt.encode()).digest(), number)


def band_height(width: int) -> int:
    """The height of each band, in pixels, in a picture `width` pixels wide."""
    return CELL * -(-PAYLOAD_BITS // (width // CELL))


def draw(image: Image.Image, pattern: Pattern, *, dark: Color = DARK, light: Color = LIGHT) -> None:
    """Draw the pattern onto an RGB or RGBA image, in place.

    The image's sides must be multiples of 16. `dark` and `light` need a luma well below and above 128:
    about 80 levels away is enough for any compression.
    """
    columns, rows = image.width // CELL, band_height(image.width) // CELL
    bits = _bits(_encode(pattern))
    cells = Image.new("RGB", (columns, rows))
    # The rest of the last row repeats the beginning, so that the band has no gap.
    cells.putdata([light if bits[i % PAYLOAD_BITS] else dark for i in range(columns * rows)])
    band = cells.resize((columns * CELL, rows * CELL), Image.Resampling.NEAREST)
    image.paste(band, (0, 0))
    image.paste(band, (0, image.height - band.height))


def read(image_bytes: bytes) -> Pattern:
    """Read the pattern from a PNG, JPEG or WebP file.

    Raises:
        PatternAbsentError: not an image, or not one of the sandbox.
        PatternDamagedError: neither band, nor both together, pass the checksum.
    """
    top, bottom = _bands(image_bytes)
    both = [(a + b) / 2 for a, b in zip(top, bottom, strict=True)]
    readings = [_decode(levels) for levels in (top, bottom, both)]
    for payload in readings:
        if zlib.crc32(payload[:-4]) == int.from_bytes(payload[-4:]) and payload.startswith(MARK):
            return Pattern(payload[2:34], payload[34])
    if max(map(_mark_bits, readings)) < MARK_BITS_NEEDED:
        raise PatternAbsentError("the picture carries no pattern")
    raise PatternDamagedError("the picture's pattern fails its checksum")


def _encode(pattern: Pattern) -> bytes:
    body = MARK + pattern.prompt_sha256 + bytes([pattern.number])
    return body + zlib.crc32(body).to_bytes(4)


def _bits(payload: bytes) -> list[int]:
    return [byte >> shift & 1 for byte in payload for shift in range(7, -1, -1)]


def _bands(image_bytes: bytes) -> tuple[list[int], list[int]]:
    """The mean brightness (0 to 255) of each cell of the top and of the bottom band."""
    try:
        image = Image.open(io.BytesIO(image_bytes))
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise PatternAbsentError(f"not a readable image: {error}") from None
    if image.width < CELL or band_height(image.width) > image.height:
        raise PatternAbsentError("the picture is too small to carry a pattern")
    height = band_height(image.width)
    return _levels(image, 0, height), _levels(image, image.height - height, height)


def _levels(image: Image.Image, top: int, height: int) -> list[int]:
    columns = image.width // CELL
    band = image.crop((0, top, columns * CELL, top + height)).convert("RGB").convert("L")
    cells = band.resize((columns, height // CELL), Image.Resampling.BOX)
    return list(cells.tobytes()[:PAYLOAD_BITS])


def _decode(levels: list[int] | list[float]) -> bytes:
    number = int("".join("1" if level > 127 else "0" for level in levels), 2)
    return number.to_bytes(PAYLOAD_BITS // 8)


def _mark_bits(payload: bytes) -> int:
    return 16 - (int.from_bytes(payload[:2]) ^ int.from_bytes(MARK)).bit_count()
