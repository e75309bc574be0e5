"""Pictures of all kinds, encoded."""

import io
import struct
from typing import Any

from PIL import Image

RED, BLUE, CLEAR = (255, 0, 0), (0, 0, 255), (0, 0, 0, 0)


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def plain(form: str = "PNG", size: tuple[int, int] = (640, 320), color: Any = RED) -> bytes:
    return saved(Image.new("RGB", size, color), form)


def half_clear(form: str = "PNG") -> bytes:
    """The left half is red, the right one transparent."""
    image = Image.new("RGBA", (640, 320), CLEAR)
    image.paste((*RED, 255), (0, 0, 320, 320))
    return saved(image, form, **({"lossless": True} if form == "WEBP" else {}))


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def pixel(data: bytes | None, at: tuple[int, int] = (5, 5)) -> tuple[int, ...]:
    image = opened(data)
    found = image.convert("RGBA" if image.has_transparency_data else "RGB").getpixel(at)
    assert isinstance(found, tuple)
    return tuple(int(level) for level in found)


def near(one: tuple[int, ...], other: tuple[int, ...], within: int = 12) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= within for a, b in zip(one, other, strict=True))


def swapped_profile() -> bytes:
    """A colour profile in which red and blue have changed places: an ICC v2 matrix profile."""
    red, green, blue = (0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    text = b"text\0\0\0\0none\0\0\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + b"\0" * 80
    tags = {
        b"desc": name,
        b"cprt": text,
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        b"rXYZ": xyz(blue),
        b"gXYZ": xyz(green),
        b"bXYZ": xyz(red),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    body, table, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        padded = data + b"\0" * (-len(data) % 4)
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += padded
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += struct.pack(">3i", round(0.9642 * 65536), 65536, round(0.8249 * 65536))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
