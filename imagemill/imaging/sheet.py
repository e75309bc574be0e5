"""A contact sheet: small pictures in a grid, each on a square with its caption below."""

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

from imagemill.domain.gallery import SheetOrder
from imagemill.domain.renditions import THUMBNAIL_SPEC
from imagemill.imaging.picture import opened

PICTURE, CAPTION, GUTTER, MARGIN, HEADER = 220, 34, 22, 48, 104
FEWEST_COLUMNS, MOST_COLUMNS = 3, 14
LANDSCAPE = 1.3
"""Columns to rows, about."""
PAPER, PANEL, INK, SOFT = (252, 251, 249), (241, 239, 235), (33, 31, 28), (122, 117, 109)
QUALITY = 82


def drawn(order: SheetOrder, pictures: Sequence[bytes]) -> tuple[bytes, tuple[int, int]]:
    """The sheet as webp, and its size. A picture that can't be read leaves its square empty."""
    columns = min(MOST_COLUMNS, max(FEWEST_COLUMNS, round(math.sqrt(len(pictures) * LANDSCAPE))))
    rows = max(1, -(-len(pictures) // columns))
    step = (PICTURE + GUTTER, PICTURE + CAPTION + GUTTER)
    width = columns * step[0] - GUTTER + 2 * MARGIN
    sheet = Image.new("RGB", (width, HEADER + rows * step[1] - GUTTER + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    _header(pen, order, width)
    for number, (picture, caption) in enumerate(zip(pictures, order.captions, strict=True)):
        row, column = divmod(number, columns)
        left, top = MARGIN + column * step[0], HEADER + row * step[1]
        _tile(sheet, picture, (left, top))
        text = _fitting(pen, caption, 15, PICTURE)
        pen.text((left, top + PICTURE + 20), text, fill=SOFT, font=_font(15, text), anchor="lm")
    out = io.BytesIO()
    sheet.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue(), sheet.size


def _header(pen: ImageDraw.ImageDraw, order: SheetOrder, width: int) -> None:
    room = width - 2 * MARGIN
    note = _fitting(pen, order.note, 17, room * 5 // 8)
    noted = pen.textlength(note, _font(17, note))
    heading = _fitting(pen, order.heading, 30, int(room - noted - GUTTER))
    pen.text((MARGIN, HEADER // 2 + 10), heading, fill=INK, font=_font(30, heading), anchor="ls")
    pen.text((width - MARGIN, HEADER // 2 + 10), note, fill=SOFT, font=_font(17, note), anchor="rs")


def _tile(sheet: Image.Image, data: bytes, at: tuple[int, int]) -> None:
    panel = Image.new("RGBA", (PICTURE, PICTURE), (*PANEL, 255))
    try:
        picture = opened(data, [THUMBNAIL_SPEC]).convert("RGBA")
    except (OSError, ValueError, SyntaxError):
        picture = None
    if picture:
        picture = ImageOps.contain(picture, panel.size, Image.Resampling.LANCZOS)
        corner = ((PICTURE - picture.width) // 2, (PICTURE - picture.height) // 2)
        panel.alpha_composite(picture, corner)
    sheet.paste(panel.convert("RGB"), at)


def _fitting(pen: ImageDraw.ImageDraw, text: str, size: int, room: int) -> str:
    """The text on one line, with an ellipsis where it is too long."""
    text = " ".join(text[:500].split())
    if pen.textlength(text, _font(size, text)) <= room:
        return text
    while text and pen.textlength(text + "…", _font(size, text + "…")) > room:
        text = text[:-1]
    return text.rstrip() + "…"


_fonts: dict[tuple[int, bool], ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}


def _font(size: int, text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font has Latin letters; for others the system's DejaVu is taken, where there is one."""
    latin = all(ord(letter) < 0x250 or 0x2010 <= ord(letter) <= 0x2026 for letter in text)
    if (size, latin) not in _fonts:
        _fonts[size, latin] = ImageFont.load_default(size) if latin else _other(size)
    return _fonts[size, latin]


def _other(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)
