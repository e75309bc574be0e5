"""How many tokens a call takes, and what they cost.

The figures are those that the provider publishes; `catalog.json` holds them.
"""

import random
from dataclasses import dataclass

from sandbox.image_api.catalog import Family, InputRate, Prices

# The provider counts this many tokens around every prompt.
PROMPT_FRAME = 6
PARTIAL_IMAGE = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one call, over all of its images."""

    text_in: int
    image_out: int
    text_out: int
    image_in: int = 0

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            self.text_in - other.text_in,
            self.image_out - other.image_out,
            self.text_out - other.text_out,
            self.image_in - other.image_in,
        )

    @property
    def input(self) -> int:
        """All tokens that went in."""
        return self.text_in + self.image_in

    @property
    def output(self) -> int:
        """All tokens that came out."""
        return self.image_out + self.text_out

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.output

    def cost_nano(self, prices: Prices) -> int:
        """The price of these tokens, in nano-dollars."""
        return (
            self.text_in * prices.text_in
            + self.image_in * prices.image_in
            + self.image_out * prices.image_out
            + self.text_out * prices.text_out
        )

    def as_json(self) -> dict[str, object]:
        """The `usage` object of an answer."""
        return {
            "input_tokens": self.input,
            "input_tokens_details": {"text_tokens": self.text_in, "image_tokens": self.image_in},
            "output_tokens": self.output,
            "output_tokens_details": {"image_tokens": self.image_out, "text_tokens": self.text_out},
            "total_tokens": self.total,
        }


def grid_tokens(grid: int, width: int, height: int) -> int:
    """Tokens of one image of `width` x `height` pixels, by the formula published for gpt-image-2 and 2.5.

    The short side of the grid is rounded half up.
    """
    short, long = min(width, height), max(width, height)
    short_cells = (2 * grid * short + long) // (2 * long)
    return _ceil_div(grid * short_cells * (2_000_000 + width * height), 4_000_000)


def image_tokens(family: Family, quality: str, width: int, height: int) -> int:
    """Output tokens of one image."""
    if family.table:
        return family.table[quality][f"{width}x{height}"]
    tokens = grid_tokens(family.grid[quality], width, height)
    return _ceil_div(tokens * family.permille.get(quality, 1000), 1000)


def input_image_tokens(rate: InputRate, width: int, height: int, *, high_fidelity: bool = False) -> int:
    """Input tokens of one image of `width` x `height` pixels.

    Either by its area, up to a maximum; or the short side is scaled to 512 pixels, and each tile of
    512 x 512 counts.
    """
    if rate.pixels_a_token:
        return min(rate.most, _ceil_div(width * height, rate.pixels_a_token))
    extra = rate.fidelity_square if width == height else rate.fidelity_other
    tiles = _ceil_div(max(width, height), min(width, height))
    return rate.base + rate.tile * tiles + (extra if high_fidelity else 0)


def text_tokens(prompt: str) -> int:
    """A plausible count of a prompt's tokens; never above its UTF-8 bytes plus the frame.

    Four ASCII characters, or one of any other alphabet, count as a token.
    """
    ascii_characters = sum(character.isascii() for character in prompt)
    return _ceil_div(ascii_characters, 4) + (len(prompt) - ascii_characters) + PROMPT_FRAME


def usage(
    family: Family,
    prompt: str,
    quality: str,
    *,
    width: int,
    height: int,
    images: int,
    partials: int = 0,
    image_in: int = 0,
) -> Usage:
    """The tokens of a call that draws `images` images, each with `partials` partial ones before it.

    The same arguments always give the same usage. Input is counted once, however many images are drawn.
    """
    each = image_tokens(family, quality, width, height) + PARTIAL_IMAGE * partials
    text_out = sum(_text_out(family, prompt, quality, number) for number in range(images))
    return Usage(text_tokens(prompt), images * each, text_out, image_in)


def _text_out(family: Family, prompt: str, quality: str, number: int) -> int:
    # Only means are known, so the single figures scatter around them.
    mean = family.mean_text_out.get(quality, 0)
    spread = random.Random(f"{prompt}/{number}").uniform(0.8, 1.2)  # noqa: S311
    return round(mean * spread)


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
