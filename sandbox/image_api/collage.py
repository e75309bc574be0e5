"""Pictures of edits: what they start from can be seen in them.

Without a mask the first image stands between the pattern bands, with its markup laid over, above the
other images and the prompt's words. With a mask the result is the first image, stretched to the size of
the result; only where the mask is fully transparent it shows a picture of the prompt.
"""

from dataclasses import dataclass

from PIL import Image

from sandbox.image_api import pattern, picture
from sandbox.image_api.inputs import Inputs

Box = tuple[int, int, int, int]
RESAMPLING = Image.Resampling.LANCZOS


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in a picture without a mask: (left, top, right, bottom), in pixels."""

    first: Box
    others: tuple[Box, ...]
    caption: Box


def paint(
    prompt: str, inputs: Inputs, *, width: int, height: int, number: int = 0, transparent: bool = False
) -> Image.Image:
    """Image `number` of an edit, as an RGB image, or as an RGBA one where `transparent`."""
    if inputs.mask is None:
        return _shown(prompt, inputs, width, height, number, transparent=transparent)
    image = stretched(inputs.images[0].open(), (width, height), transparent=transparent)
    painted = picture.paint(prompt, width=width, height=height, number=number, transparent=transparent)
    others = inputs.images[1:]
    for other, box in zip(others, layout(width, height, (1, 1), len(others)).others, strict=True):
        _place(painted, other.open(), _contained(box, (other.width, other.height)))
    image.paste(painted, mask=hole(inputs.mask.open(), (width, height)))
    return image


def stretched(image: Image.Image, size: tuple[int, int], *, transparent: bool = False) -> Image.Image:
    """An image in another size; without alpha, unless `transparent`, on white."""
    scaled = image.convert("RGBA").resize(size, RESAMPLING)
    if transparent:
        return scaled
    return Image.alpha_composite(Image.new("RGBA", size, "white"), scaled).convert("RGB")


def hole(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Where a mask lets the result differ: 255 where it is fully transparent, 0 elsewhere."""
    alpha = mask.convert("RGBA").getchannel("A").resize(size, Image.Resampling.NEAREST)
    return alpha.point(lambda level: 0 if level else 255)


def layout(width: int, height: int, first: tuple[int, int], others: int) -> Layout:
    """Where the images of an edit without a mask are, the first one being of size `first`."""
    band = pattern.band_height(width)
    room = height - 2 * band
    gap = max(4, room // 40)
    row = room // 5
    words = (0, height - band - row, width, height - band)
    below = words[1] - (row if others else 0)
    tiles = [
        ((width * i) // others + gap, below, (width * (i + 1)) // others - gap, words[1])
        for i in range(others)
    ]
    return Layout(_contained((gap, band + gap, width - gap, below - gap), first), tuple(tiles), words)


def _shown(
    prompt: str, inputs: Inputs, width: int, height: int, number: int, *, transparent: bool
) -> Image.Image:
    image, hue = picture.canvas(prompt, width=width, height=height, number=number, transparent=transparent)
    main, *others = inputs.images
    places = layout(width, height, (main.width, main.height), len(others))
    _place(image, main.open(), places.first)
    if inputs.markup:
        _place(image, inputs.markup.open(), places.first)
    for other, box in zip(others, places.others, strict=True):
        _place(image, other.open(), _contained(box, (other.width, other.height)))
    picture.card(image, places.caption, prompt, hue)
    return image


def _place(onto: Image.Image, image: Image.Image, box: Box) -> None:
    scaled = image.resize((box[2] - box[0], box[3] - box[1]), RESAMPLING)
    if onto.mode == "RGBA":
        onto.alpha_composite(scaled, box[:2])
    else:
        onto.paste(scaled, box[:2], scaled)


def _contained(box: Box, size: tuple[int, int]) -> Box:
    """The largest box of the shape of `size` in the middle of `box`."""
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(width / size[0], height / size[1])
    inner = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    left, top = box[0] + (width - inner[0]) // 2, box[1] + (height - inner[1]) // 2
    return left, top, left + inner[0], top + inner[1]
