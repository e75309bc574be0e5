"""How many tokens a call takes, and what they cost.

The figures are those that the provider publishes; `catalog.json` holds them.
"""

import random
from dataclasses import dataclass

from sandbox.image_api.catalog import Family, Prices

# The provider counts this many tokens around every prompt.
PROMPT_FRAME = 6


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one call, over all of its images."""

    text_in: int
    image_out: int
    text_out: int

    def cost_nano(self, prices: Prices) -> int:
        """The price of these tokens, in nano-dollars."""
        return (
            self.text_in * prices.text_in
            + self.image_out * prices.image_out
            + self.text_out * prices.text_out
        )

    def as_json(self) -> dict[str, object]:
        """The `usage` object of an answer."""
        output = self.image_out + self.text_out
        return {
            "input_tokens": self.text_in,
            "input_tokens_details": {"text_tokens": self.text_in, "image_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"image_tokens": self.image_out, "text_tokens": self.text_out},
            "total_tokens": self.text_in + output,
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


def text_tokens(prompt: str) -> int:
    """A plausible count of a prompt's tokens; never above its UTF-8 bytes plus the frame.

    Four ASCII characters, or one of any other alphabet, count as a token.
    """
    ascii_characters = sum(character.isascii() for character in prompt)
    return _ceil_div(ascii_characters, 4) + (len(prompt) - ascii_characters) + PROMPT_FRAME


def usage(family: Family, prompt: str, quality: str, *, width: int, height: int, images: int) -> Usage:
    """The tokens of a call that draws `images` images. The same arguments always give the same usage."""
    text_out = sum(_text_out(family, prompt, quality, number) for number in range(images))
    return Usage(text_tokens(prompt), images * image_tokens(family, quality, width, height), text_out)


def _text_out(family: Family, prompt: str, quality: str, number: int) -> int:
    # Only means are known, so the single figures scatter around them.
    mean = family.mean_text_out.get(quality, 0)
    spread = random.Random(f"{prompt}/{number}").uniform(0.8, 1.2)  # noqa: S311
    return round(mean * spread)


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
