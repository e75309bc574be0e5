"""Pictures drawn from a prompt: its words on a card, on colours of its own, between two pattern bands."""

import colorsys
import io
import random
from hashlib import sha256

from PIL import Image, ImageDraw

from sandbox.image_api import lettering, pattern

# The backdrop is drawn at a quarter of the size, averaged, and scaled up: cheap, and its edges become soft.
COARSE = 4
CIRCLES = 6

Color = tuple[int, int, int]
Box = tuple[int, int, int, int]


def draw(
    prompt: str,
    *,
    width: int = 1024,
    height: int = 1024,
    number: int = 0,
    output_format: str = "png",
    compression: int = 100,
    transparent: bool = False,
) -> bytes:
    """Draw image `number` (0 to 255) of a prompt and encode it.

    Both sides are multiples of 16 pixels, no longer than 3:1. `compression` is the quality, 0 to 100,
    of a `jpeg` or `webp`, and is ignored for a `png`. The same arguments give the same bytes.
    """
    image = paint(prompt, width=width, height=height, number=number, transparent=transparent)
    return encode(image, output_format, compression)


def paint(prompt: str, *, width: int, height: int, number: int = 0, transparent: bool = False) -> Image.Image:
    """The picture as an RGB image, or an RGBA one without a backdrop."""
    image, hue = canvas(prompt, width=width, height=height, number=number, transparent=transparent)
    band = pattern.band_height(width)
    card(image, (0, band, width, height - band), prompt, hue)
    return image


def canvas(
    prompt: str, *, width: int, height: int, number: int, transparent: bool
) -> tuple[Image.Image, float]:
    """The backdrop and the two bands, and the hue of both."""
    chance = random.Random(sha256(f"{number}:{prompt}".encode()).digest())  # noqa: S311
    hue = chance.random()
    image = _backdrop(width, height, hue, chance, transparent=transparent)
    pattern.draw(image, pattern.of(prompt, number), dark=_ink(hue), light=_color(hue, 0.06, 0.97))
    return image, hue


def card(image: Image.Image, area: Box, prompt: str, hue: float) -> None:
    """Draw a card in the middle of `area` with the prompt's words on it."""
    left, top, right, bottom = area
    unit = min(right - left, bottom - top)
    margin, padding = round(unit * 0.09), round(unit * 0.06)
    edge = margin + padding
    box = (left + edge, top + edge, right - edge, bottom - edge)
    setting = lettering.fit(
        prompt, box[2] - box[0], box[3] - box[1], largest=max(24, unit // 7), smallest=max(14, unit // 32)
    )
    rows = _card_rows(setting.height, box, padding)
    outline = (left + margin, rows[0], right - margin, rows[1])
    pen = ImageDraw.Draw(image)
    shadow = tuple(side + round(unit * 0.012) for side in outline)
    pen.rounded_rectangle(shadow, radius=unit // 28, fill=_color(hue, 0.6, 0.55))
    pen.rounded_rectangle(outline, radius=unit // 28, fill=_color(hue, 0.03, 0.99))
    lettering.draw(image, setting, box, ink=_ink(hue), faint=_color(hue, 0.22, 0.82))


def encode(image: Image.Image, output_format: str, compression: int) -> bytes:
    """Encode an image as `png`, `jpeg` or `webp`, quickly rather than small."""
    target = io.BytesIO()
    if output_format == "png":
        image.save(target, "PNG", compress_level=1)
    elif output_format == "jpeg":
        image.save(target, "JPEG", quality=compression)
    else:
        image.save(target, "WEBP", quality=compression, method=0)
    return target.getvalue()


def _ink(hue: float) -> Color:
    return _color(hue, 0.55, 0.22)


def _color(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _backdrop(
    width: int, height: int, hue: float, chance: random.Random, *, transparent: bool
) -> Image.Image:
    if transparent:
        return Image.new("RGBA", (width, height))
    small = Image.new("RGB", (width // COARSE, height // COARSE), _color(hue, 0.5, 0.86))
    pen = ImageDraw.Draw(small)
    for _ in range(CIRCLES):
        x, y = chance.uniform(0, small.width), chance.uniform(0, small.height)
        radius = chance.uniform(0.12, 0.42) * min(small.size)
        shade = _color(
            hue + chance.uniform(-0.12, 0.12), chance.uniform(0.35, 0.7), chance.uniform(0.7, 0.98)
        )
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade)
    return small.reduce(2).resize((width, height), Image.Resampling.BILINEAR)


def _card_rows(text_height: int, box: Box, padding: int) -> tuple[int, int]:
    """The card's top and bottom: as high as its text asks, and at least a third of its room."""
    room = box[3] - box[1]
    spare = (room - max(text_height, room // 3)) // 2
    return box[1] + spare - padding, box[3] - spare + padding
