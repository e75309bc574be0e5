"""Letters that Pillow's embedded font lacks: accented ones, drawn as a plain letter and its marks.

The font has ASCII and some punctuation only, and it is the one font that is there on every machine.
"""

import unicodedata
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

# Tiles are drawn larger and scaled down, which smooths the marks.
OVERSAMPLE = 4
# The height of small letters, as a part of the font's size.
X_HEIGHT = 0.54

Point = tuple[float, float]
Stroke = list[Point]

# Marks as strokes around their own middle, in parts of the font's size, y downwards.
ABOVE: dict[str, list[Stroke]] = {
    "\u0300": [[(-0.08, -0.06), (0.05, 0.05)]],  # grave
    "\u0301": [[(0.08, -0.06), (-0.05, 0.05)]],  # acute
    "\u0302": [[(-0.11, 0.05), (0, -0.06), (0.11, 0.05)]],  # circumflex
    "\u0303": [[(-0.13, 0.04), (-0.07, -0.03), (0.07, 0.03), (0.13, -0.04)]],  # tilde
    "\u0304": [[(-0.12, 0), (0.12, 0)]],  # macron
    "\u0306": [[(-0.1, -0.05), (-0.05, 0.03), (0.05, 0.03), (0.1, -0.05)]],  # breve
    "\u0307": [[(0, 0), (0, 0)]],  # dot
    "\u0308": [[(-0.1, 0), (-0.1, 0)], [(0.1, 0), (0.1, 0)]],  # diaeresis
    "\u0309": [[(-0.04, -0.06), (0.05, -0.05), (0, 0.06)]],  # hook
    "\u030a": [
        [(0, -0.09), (0.08, -0.05), (0.08, 0.03), (0, 0.07), (-0.08, 0.03), (-0.08, -0.05), (0, -0.09)]
    ],
    "\u030b": [[(0, -0.06), (-0.1, 0.05)], [(0.13, -0.06), (0.03, 0.05)]],  # double acute
    "\u030c": [[(-0.11, -0.06), (0, 0.05), (0.11, -0.06)]],  # caron
}
BELOW: dict[str, list[Stroke]] = {
    "\u0323": [[(0, 0), (0, 0)]],  # dot
    "\u0326": [[(0.02, -0.04), (-0.02, 0.06)]],  # comma
    "\u0327": [[(0, -0.1), (0.06, -0.02), (0, 0.05), (-0.07, 0.04)]],  # cedilla
    "\u0328": [[(0.1, -0.1), (0.05, 0), (0.14, 0.05)]],  # ogonek
}
# Letters that Unicode does not take apart: a plain one, and strokes in parts of its width and height.
CROSSED: dict[str, tuple[str, Stroke]] = {
    "ø": ("o", [(0, 1), (1, 0)]),
    "Ø": ("O", [(0, 1), (1, 0)]),
    "ł": ("l", [(-0.7, 0.62), (1.7, 0.4)]),
    "Ł": ("L", [(-0.2, 0.65), (0.5, 0.4)]),
    "đ": ("d", [(0.4, 0.15), (1.25, 0.15)]),
    "Đ": ("D", [(-0.2, 0.5), (0.45, 0.5)]),
}
TURNED = {"¿": "?", "¡": "!"}
# Spelled out instead of drawn.
SPELLED = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "Th", "ð": "d",
    "€": "EUR", "£": "GBP", "•": "·", "„": '"',
    "\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{NON-BREAKING HYPHEN}": "-", "\N{MINUS SIGN}": "-",
    "\N{MULTIPLICATION SIGN}": "x", "\N{SINGLE LOW-9 QUOTATION MARK}": "'",
}  # fmt: skip
DOTLESS = {"\N{LATIN SMALL LETTER DOTLESS I}": "i", "\N{LATIN SMALL LETTER DOTLESS J}": "j"}


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The embedded font, `size` pixels high."""
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType")
    return loaded


@lru_cache(maxsize=4096)
def is_plain(character: str) -> bool:
    """Whether the embedded font has the character."""
    glyph = bytes(font(24).getmask(character))
    return character == " " or glyph != bytes(font(24).getmask("\uffff"))


@lru_cache(maxsize=4096)
def is_composed(character: str) -> bool:
    """Whether a tile of the character can be composed from what the font has."""
    if character in CROSSED or character in TURNED or character in DOTLESS:
        return True
    parts = unicodedata.normalize("NFD", character)
    base, marks = parts[0], parts[1:]
    return bool(marks) and is_plain(base) and all(mark in ABOVE or mark in BELOW for mark in marks)


def advance(character: str, size: int) -> float:
    """The width of a composed character, in pixels."""
    return font(size).getlength(_base(character))


@lru_cache(maxsize=2048)
def tile(character: str, size: int) -> Image.Image:
    """A composed character as a mask, to be pasted where the text's line begins at the top.

    The mask has a margin of half the font's size on the left and on the right.
    """
    large = size * OVERSAMPLE
    canvas = Image.new("L", (round(advance(character, large)) + large, round(large * 1.4)))
    pen = ImageDraw.Draw(canvas)
    # The small font's ascent, not the large one's: else letters would stand a pixel above the others.
    baseline = font(size).getmetrics()[0] * OVERSAMPLE
    pen.text((large / 2, baseline), _base(character), font=font(large), fill=255, anchor="ls")
    if character in TURNED:
        canvas = _turned(canvas, round(baseline - X_HEIGHT * large))
    elif character in CROSSED:
        _cross(pen, canvas, CROSSED[character][1], large)
    else:
        _mark(pen, canvas, character, large, baseline)
    return canvas.resize((canvas.width // OVERSAMPLE, canvas.height // OVERSAMPLE), Image.Resampling.BOX)


def _base(character: str) -> str:
    if character in CROSSED:
        return CROSSED[character][0]
    plain = TURNED.get(character) or DOTLESS.get(character)
    return plain or unicodedata.normalize("NFD", character)[0]


def _turned(canvas: Image.Image, top: int) -> Image.Image:
    """The glyph upside down, hanging from `top`, the height of small letters."""
    box = canvas.getbbox() or (0, 0, 1, 1)
    turned = Image.new("L", canvas.size)
    glyph = canvas.crop(box).transpose(Image.Transpose.ROTATE_180)
    turned.paste(glyph, (box[0], top))
    return turned


def _cross(pen: ImageDraw.ImageDraw, canvas: Image.Image, stroke: Stroke, size: int) -> None:
    left, top, right, bottom = canvas.getbbox() or (0, 0, 1, 1)
    points = [(left + x * (right - left), top + y * (bottom - top)) for x, y in stroke]
    _line(pen, points, size * 0.06)


def _mark(pen: ImageDraw.ImageDraw, canvas: Image.Image, character: str, size: int, baseline: int) -> None:
    base = _base(character)
    marks = unicodedata.normalize("NFD", character)[1:]
    above = [mark for mark in marks if mark in ABOVE]
    if base in "ij" and (above or character in DOTLESS):
        pen.rectangle((0, 0, canvas.width, baseline - size * (X_HEIGHT + 0.03)), fill=0)
    left, top, right, _ = canvas.getbbox() or (0, 0, 1, 1)
    middle, height = (left + right) / 2, top - 0.1 * size
    for mark in above:
        _strokes(pen, ABOVE[mark], (middle, height), size)
        height -= 0.16 * size
    for mark in marks:
        _strokes(pen, BELOW.get(mark, []), (middle, baseline + size * 0.11), size)


def _strokes(pen: ImageDraw.ImageDraw, strokes: list[Stroke], middle: Point, size: int) -> None:
    for stroke in strokes:
        is_dot = len(set(stroke)) == 1
        points = [(middle[0] + x * size, middle[1] + y * size) for x, y in stroke]
        _line(pen, points, size * (0.11 if is_dot else 0.075))


def _line(pen: ImageDraw.ImageDraw, points: Stroke, width: float) -> None:
    """A line with round joints and ends."""
    pen.line(points, fill=255, width=round(width))
    for x, y in points:
        pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
