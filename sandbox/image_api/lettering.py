"""Words set into a box: measured, wrapped, and drawn as large as they fit.

Characters of alphabets that no embedded glyph can show become a soft bar, so that a text in Chinese
looks like lines of text and not like rows of empty boxes.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

from PIL import Image, ImageDraw

from sandbox.image_api import glyphs

LINE = 1.34
# Widths are measured once at this size, and scale.
MEASURE = 100
WORD_CHARACTERS = 24
BAR_CHARACTERS = 4

Color = tuple[int, int, int]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Run:
    """Characters drawn in the same way: `plain`, `composed` or as a `bar`. `width` is in font sizes."""

    kind: str
    text: str
    width: float


Word = list[Run]


@dataclass(frozen=True, slots=True)
class Setting:
    """Lines of words at a font size, in pixels."""

    size: int
    lines: list[list[Word]]

    @property
    def height(self) -> int:
        """The height of all lines, in pixels."""
        return round(len(self.lines) * self.size * LINE)


def fit(text: str, width: int, height: int, *, largest: int, smallest: int) -> Setting:
    """Break `text` into lines at the largest font size that fits a box of `width` x `height` pixels.

    What does not fit at the smallest size is cut off, ending in an ellipsis.
    """
    capacity = int(width * height / (smallest * smallest * 0.5))
    characters = "".join(islice(_characters(text), capacity))
    words = list(_words(characters, MEASURE))
    low, high = smallest, largest
    while low < high:
        size = (low + high + 1) // 2
        if _fits(Setting(size, _wrap(words, width / size)), width, height):
            low = size
        else:
            high = size - 1
    # Small letters are hinted to whole pixels, so their widths do not quite scale.
    return _cut(Setting(low, _wrap(list(_words(characters, low)), width / low)), height)


def draw(image: Image.Image, setting: Setting, box: Box, *, ink: Color, faint: Color) -> None:
    """Draw the lines in the middle of `box` (left, top, right, bottom); bars are `faint`."""
    left, top, right, bottom = box
    y = top + (bottom - top - setting.height) / 2
    for line in setting.lines:
        x = left + (right - left - _line_width(line) * setting.size) / 2
        for word in line:
            for run in word:
                _draw_run(image, run, (x, y), setting.size, ink=ink, faint=faint)
                x += run.width * setting.size
            x += _space() * setting.size
        y += setting.size * LINE


def _characters(text: str) -> Iterator[str]:
    """The text's characters, composed where Unicode has a composed form, without invisible ones."""
    for character in unicodedata.normalize("NFC", text[:8000]):
        if character.isspace():
            yield " "
        elif unicodedata.category(character) not in {"Cc", "Cf", "Mn", "Me", "Cs"}:
            yield from glyphs.SPELLED.get(character, character)


def _kind(character: str) -> str:
    if glyphs.is_plain(character):
        return "plain"
    return "composed" if glyphs.is_composed(character) else "bar"


def _words(characters: str, size: int) -> Iterator[Word]:
    """Words, with those that would not fit a line taken apart; bars may break between any two."""
    for word in characters.split():
        for kind, group in groupby(word, key=lambda character: _kind(character) == "bar"):
            part = "".join(group)
            step = BAR_CHARACTERS if kind else WORD_CHARACTERS
            for start in range(0, len(part), step):
                yield _runs(part[start : start + step], size)


def _runs(word: str, size: int) -> Word:
    return [_run(kind, "".join(group), size) for kind, group in groupby(word, key=_kind)]


def _run(kind: str, text: str, size: int) -> Run:
    if kind == "plain":
        return Run(kind, text, glyphs.font(size).getlength(text) / size)
    if kind == "composed":
        return Run(kind, text, sum(glyphs.advance(character, size) for character in text) / size)
    return Run(kind, text, 0.8 * len(text))


def _space() -> float:
    return glyphs.font(MEASURE).getlength(" ") / MEASURE


def _width(word: Word) -> float:
    return sum(run.width for run in word)


def _line_width(line: list[Word]) -> float:
    return sum(map(_width, line)) + _space() * (len(line) - 1)


def _wrap(words: list[Word], width: float) -> list[list[Word]]:
    """Fill lines of `width` font sizes, word after word."""
    lines: list[list[Word]] = []
    used, space = width, _space()
    for word in words:
        needed = space + _width(word)
        if not lines or used + needed > width:
            lines.append([])
            used = -space
        lines[-1].append(word)
        used += needed
    return lines


def _fits(setting: Setting, width: int, height: int) -> bool:
    widest = max((_line_width(line) for line in setting.lines), default=0) * setting.size
    return setting.height <= height and widest <= width


def _cut(setting: Setting, height: int) -> Setting:
    room = max(1, int(height / (setting.size * LINE)))
    if len(setting.lines) <= room:
        return setting
    last = [*setting.lines[room - 1][:-1], _runs("…", setting.size)]
    return Setting(setting.size, [*setting.lines[: room - 1], last])


def _draw_run(
    image: Image.Image, run: Run, at: tuple[float, float], size: int, *, ink: Color, faint: Color
) -> None:
    pen = ImageDraw.Draw(image)
    x, y = at
    if run.kind == "plain":
        pen.text(at, run.text, font=glyphs.font(size), fill=ink)
    elif run.kind == "composed":
        for character in run.text:
            image.paste(ink, (round(x - size / 2), round(y)), glyphs.tile(character, size))
            x += glyphs.advance(character, size)
    else:
        bar = (x, y + 0.42 * size, x + (run.width - 0.1) * size, y + 0.92 * size)
        pen.rounded_rectangle(bar, radius=0.25 * size, fill=faint)
