"""All images on one sheet: a tile a product, its pictures side by side, its SKU and title below."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from sandbox.image_api import lettering

COLUMNS = 4
MARGIN, GUTTER, GAP = 40, 24, 6
HEADER, CAPTION = 84, 50
PICTURE = 160
PAPER, INK, SOFT = (250, 248, 244), (38, 34, 29), (128, 120, 110)


@dataclass(frozen=True, slots=True)
class Tile:
    """One product on the sheet.

    Attributes:
        sku: printed below its pictures.
        title: printed below that.
        pictures: image files, in the order in which they are shown.
    """

    sku: str
    title: str
    pictures: Sequence[Path]


def draw_contact_sheet(heading: str, note: str, tiles: Sequence[Tile]) -> Image.Image:
    """Draws the sheet.

    Args:
        heading: at the top left.
        note: at the top right.
        tiles: row by row; there must be at least one.
    """
    strips = [_strip(tile.pictures) for tile in tiles]
    width = max(strip.width for strip in strips)
    step = (width + GUTTER, PICTURE + CAPTION + GUTTER)
    columns, rows = min(COLUMNS, len(tiles)), -(-len(tiles) // COLUMNS)
    size = (columns * step[0] - GUTTER + 2 * MARGIN, HEADER + rows * step[1] - GUTTER + MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    _write_header(pen, heading, note, sheet.width)
    cells = product(range(rows), range(columns))
    for tile, strip, (row, column) in zip(tiles, strips, cells, strict=False):
        left, top = MARGIN + column * step[0], HEADER + row * step[1]
        sheet.paste(strip, (left, top))
        _write_caption(sheet, tile, (left, top + PICTURE, left + width, top + PICTURE + CAPTION))
    return sheet


def _strip(pictures: Sequence[Path]) -> Image.Image:
    """Pictures side by side, scaled to one height."""
    scaled = [_scaled(path) for path in pictures]
    strip = Image.new("RGB", (sum(each.width + GAP for each in scaled) - GAP, PICTURE), PAPER)
    left = 0
    for each in scaled:
        strip.paste(each, (left, 0))
        left += each.width + GAP
    return strip


def _scaled(path: Path) -> Image.Image:
    with Image.open(path) as image:
        size = (round(image.width * PICTURE / image.height), PICTURE)
        return image.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _write_header(pen: ImageDraw.ImageDraw, heading: str, note: str, width: int) -> None:
    pen.text((MARGIN, HEADER // 2), heading, fill=INK, font=_font(30), anchor="lm")
    pen.text((width - MARGIN, HEADER // 2), note, fill=SOFT, font=_font(17), anchor="rm")


def _write_caption(sheet: Image.Image, tile: Tile, box: tuple[int, int, int, int]) -> None:
    """The SKU, and the title below it, both in the middle."""
    left, top, right, bottom = box
    middle = top + (bottom - top) // 2
    for text, size, ink, edges in (
        (tile.sku, 16, INK, (left, top + 4, right, middle + 2)),
        (tile.title, 14, SOFT, (left, middle + 2, right, bottom)),
    ):
        setting = lettering.fit(text, right - left, 2 * size, largest=size, smallest=size)
        lettering.draw(sheet, setting, edges, ink=ink, faint=SOFT)


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType")
    return font
