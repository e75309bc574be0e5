"""What a call can cost at least, usually and at most, and what it did cost, from a model's prices.

All money is an integer of nano-dollars. Where the prices come from: `imagemill.domain.catalogue`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from imagemill.domain.request import ImageRequest, OutputFormat

Background = Literal["transparent", "opaque", "auto"]
Fidelity = Literal["low", "high"]
Parameter = Literal[
    "background", "moderation", "output_compression", "stream", "partial_images", "complexity",
    "safety_identifier", "input_fidelity", "mask", "markup",
]  # fmt: skip
"""What a request can say besides what every model takes: prompt, model, size, quality, format and n."""

USUAL_SIZE = (1024, 1024)
"""What ``size: auto`` is expected to become."""

USUAL_QUALITY = "medium"
"""What ``quality: auto`` is expected to become."""

LARGEST_SIZE = (2880, 2880)
"""The legal size with the most tokens; what ``size: auto`` reserves."""

FEWEST_PIXELS, MOST_PIXELS = 655_360, 8_294_400
"""The area of an image, for the models since 2."""

STEEPEST_RATIO = 3
"""The long edge to the short one, at most, for the models since 2."""

STEEPEST_INPUT = 8
"""The long edge of an input image to its short one, at most: ours, so that an unseen one has a bound."""

TEXT_OVERHEAD_TOKENS = 6
"""Added by the provider to the prompt's own tokens on generations."""


class Usage(BaseModel):
    """What the provider counted for one call, in tokens."""

    text_in: int = 0
    image_in: int = 0
    image_out: int = 0
    text_out: int = 0


class Estimate(BaseModel):
    """What one call or many can cost, in nano-dollars, by the prices as they are: low <= expected <= high."""

    low_nano: int = 0
    expected_nano: int = 0
    high_nano: int = 0
    """The maximum, which is what gets reserved."""
    uncertain: list[str] = Field(default_factory=list)
    """Why the band may be wrong, a sentence for each model that rests on something unpublished; sorted."""
    reused: int = 0
    """Items that cost nothing, since an earlier item's images answer them."""

    @classmethod
    def zero(cls) -> "Estimate":
        """What nothing costs."""
        return cls()

    def plus(self, other: "Estimate") -> "Estimate":
        """The sum."""
        return Estimate(
            low_nano=self.low_nano + other.low_nano,
            expected_nano=self.expected_nano + other.expected_nano,
            high_nano=self.high_nano + other.high_nano,
            uncertain=sorted({*self.uncertain, *other.uncertain}),
            reused=self.reused + other.reused,
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a call costs tokens for besides its request.

    `references` are the pixels (width, height) of each image that is sent along, a mask included;
    `unseen` is how many more there are whose pixels are not known yet, none steeper than `STEEPEST_INPUT`.
    `partial_images` are those streamed before each finished image.
    """

    references: tuple[tuple[int, int], ...] = ()
    high_fidelity: bool = False
    partial_images: int = 0
    unseen: int = 0
    overlays: int = 0
    """Masks and markups, unseen too; whether they are billed is not published."""

    @classmethod
    def of(cls, request: ImageRequest) -> "Inputs":
        """What is known before any of its images was looked at."""
        return cls(
            unseen=len(request.images),
            overlays=len(request.references) - len(request.images),
            high_fidelity=request.input_fidelity == "high",
        )


@dataclass(frozen=True, slots=True)
class Band:
    """A number of tokens, or a sum in nano-dollars: at least, usually, at most."""

    low: int
    expected: int
    high: int

    @classmethod
    def exactly(cls, number: int) -> "Band":
        """A number that is known."""
        return cls(number, number, number)

    def plus(self, other: "Band") -> "Band":
        """The sum."""
        return Band(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, number: int) -> "Band":
        """So many of it."""
        return Band(self.low * number, self.expected * number, self.high * number)


@dataclass(frozen=True, slots=True)
class Prices:
    """Nano-dollars a token.

    Cached input is listed and never counted: an answer does not say what was cached, and the full price
    keeps the books above the bill.
    """

    text_in: int
    image_in: int
    image_out: int
    text_out: int
    text_in_cached: int | None = None
    image_in_cached: int | None = None


# --- tokens of images ----------------------------------------------------------------------------


class Output(Protocol):
    """How a model counts the tokens of a finished image."""

    @property
    def qualities(self) -> tuple[str, ...]:
        """The qualities that it draws."""
        ...

    def tokens(self, quality: str, size: str) -> Band:
        """Output tokens of one image; the size may be ``auto``, the quality may not."""
        ...

    def size_problem(self, size: str) -> str | None:
        """Why this size (``WxH``) is not taken, or None where it is."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """Tokens by quality and size; no other size is taken."""

    rows: Mapping[str, Mapping[str, int]]

    @property
    def qualities(self) -> tuple[str, ...]:
        """As `Output` says."""
        return tuple(self.rows)

    def tokens(self, quality: str, size: str) -> Band:
        """As `Output` says."""
        row = self.rows[quality]
        if size != "auto":
            return Band.exactly(row[size])
        most = max(row.values())
        usual = "{}x{}".format(*USUAL_SIZE)
        return Band(min(row.values()), row.get(usual, most), most)

    def size_problem(self, size: str) -> str | None:
        """As `Output` says."""
        sizes = next(iter(self.rows.values()))
        return None if size in sizes else f"the sizes are {', '.join(sizes)} or auto"


@dataclass(frozen=True, slots=True)
class Grid:
    """The provider's published formula, with the number of each quality.

    `factors` scale it by quality where a newer model is known by an upper bound alone: it counts at most
    that many times what the formula says, and is expected to.
    """

    cells: Mapping[str, int]
    factors: Mapping[str, Decimal]

    @property
    def qualities(self) -> tuple[str, ...]:
        """As `Output` says."""
        return tuple(self.cells)

    def tokens(self, quality: str, size: str) -> Band:
        """As `Output` says."""
        band = self._unscaled(self.cells[quality], size)
        factor = self.factors.get(quality, Decimal(1))
        return Band(
            math.ceil(band.low * min(factor, Decimal(1))),
            math.ceil(band.expected * factor),
            math.ceil(band.high * factor),
        )

    def size_problem(self, size: str) -> str | None:
        """As `Output` says."""
        return size_problem(*parse_size(size))

    @staticmethod
    def _unscaled(grid: int, size: str) -> Band:
        if size != "auto":
            return Band.exactly(output_tokens(grid, *parse_size(size)))
        # The smallest area at the steepest ratio: no size is quite both, and none has fewer tokens.
        least = _grid_tokens(grid, _short_side(grid, 1, STEEPEST_RATIO), FEWEST_PIXELS)
        return Band(least, output_tokens(grid, *USUAL_SIZE), output_tokens(grid, *LARGEST_SIZE))


class Tiles(BaseModel):
    """Input images as the models before 2 count them: tiles, after scaling the short side to one tile."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    base: NonNegativeInt
    tile: NonNegativeInt
    high_fidelity_square: NonNegativeInt = 0
    """Added for a square image at high fidelity."""
    high_fidelity_other: NonNegativeInt = 0

    def tokens(self, width: int, height: int, *, high_fidelity: bool) -> Band:
        """Input tokens of one image. As the short side is one tile long, only the ratio counts."""
        short, long = sorted((width, height))
        fidelity = self.high_fidelity_square if short == long else self.high_fidelity_other
        return Band.exactly(
            self.base + self.tile * _ceil_div(long, short) + (fidelity if high_fidelity else 0)
        )

    def unseen(self, *, high_fidelity: bool) -> Band:
        """Input tokens of an image of unknown pixels: a square at least, and the steepest that is sent."""
        square = self.tokens(1, 1, high_fidelity=high_fidelity)
        steepest = self.tokens(1, STEEPEST_INPUT, high_fidelity=high_fidelity)
        low, high = (
            min(square.low, self.tokens(1, 2, high_fidelity=high_fidelity).low),
            max(square.high, steepest.high),
        )
        return Band(low, square.expected, high)


class Megapixels(BaseModel):
    """Input images as the models since 2 count them: by their area, up to a most."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    per_megapixel: NonNegativeInt
    """For 1024x1024 pixels, about."""
    most: NonNegativeInt

    def tokens(self, width: int, height: int, *, high_fidelity: bool) -> Band:
        """Input tokens of one image. Since the rate is only about right, the bound is the most."""
        about = min(self.most, _ceil_div(width * height * self.per_megapixel, 1024 * 1024))
        return Band(about, about, self.most)

    def unseen(self, *, high_fidelity: bool) -> Band:
        """Input tokens of an image of unknown pixels."""
        return Band(1, min(self.most, self.per_megapixel), self.most)


@lru_cache(maxsize=4096)  # the items of a job ask for few sizes, and there can be a million of them
def output_tokens(grid: int, width: int, height: int) -> int:
    """Output tokens of one image (the provider's published formula for its models since 2)."""
    short, long = sorted((width, height))
    return _grid_tokens(grid, _short_side(grid, short, long), width * height)


def _short_side(grid: int, short: int, long: int) -> int:
    return math.floor(Decimal(grid * short) / long + Decimal("0.5"))


def _grid_tokens(grid: int, side: int, pixels: int) -> int:
    return _ceil_div(grid * side * (2_000_000 + pixels), 4_000_000)


def parse_size(size: str) -> tuple[int, int]:
    """Read ``WxH`` as pixels."""
    width, _, height = size.partition("x")
    return int(width), int(height)


def size_problem(width: int, height: int) -> str | None:
    """Why the models since 2 don't take this size, or None where they do."""
    if width % 16 or height % 16:
        return "both edges must be divisible by 16"
    if max(width, height) > 3840:
        return "no edge may be longer than 3840 pixels"
    if max(width, height) > STEEPEST_RATIO * min(width, height):
        return "the ratio must lie between 1:3 and 3:1"
    if not FEWEST_PIXELS <= width * height <= MOST_PIXELS:
        return f"an image must have {FEWEST_PIXELS:,} to {MOST_PIXELS:,} pixels"
    return None


def _text_tokens(prompt: str) -> Band:
    """A tokenizer never makes more tokens of a prompt than it has UTF-8 bytes, and usually one of four."""
    size = len(prompt.encode())
    return Band(_ceil_div(size, 8), _ceil_div(size, 4) + TEXT_OVERHEAD_TOKENS, size + TEXT_OVERHEAD_TOKENS)


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


# --- models --------------------------------------------------------------------------------------


class Rate(Protocol):
    """How a model is billed; sums in nano-dollars, before any factor."""

    @property
    def output(self) -> Output | None:
        """How finished images are counted; None: they are not, and any size and quality is taken."""
        ...

    def band(self, request: ImageRequest, inputs: Inputs) -> Band:
        """What a call can cost."""
        ...

    def cost(self, usage: Usage, images: int) -> int:
        """What a call did cost."""
        ...

    def tokens(self, request: ImageRequest, inputs: Inputs) -> int:
        """How many tokens a call is expected to count."""
        ...


@dataclass(frozen=True, slots=True)
class Flat:
    """A price for each image that is delivered, whatever else is asked for."""

    image_nano: int

    @property
    def output(self) -> None:
        """As `Rate` says."""
        return

    def band(self, request: ImageRequest, inputs: Inputs) -> Band:
        """As `Rate` says."""
        return Band.exactly(request.n * self.image_nano)

    def cost(self, usage: Usage, images: int) -> int:
        """As `Rate` says."""
        return images * self.image_nano

    def tokens(self, request: ImageRequest, inputs: Inputs) -> int:
        """As `Rate` says."""
        return 0


@dataclass(frozen=True, slots=True)
class Metered:
    """Prices by kind of token, and how many tokens of each kind there are."""

    prices: Prices
    output: Output
    text_out_tokens: int = 0
    """The most text that comes with an image."""
    text_out_expected: Mapping[str, int] | None = None
    """The mean by quality; a quality that is not in it brings none."""
    partial_image_tokens: int = 0
    """Output tokens of each partial image."""
    references: Tiles | Megapixels | None = None
    """How input images are counted; None: they can't be."""

    def band(self, request: ImageRequest, inputs: Inputs) -> Band:
        """As `Rate` says.

        Raises:
            ValueError: there are input images, and no rule to count them by.
        """
        text = _text_tokens(request.prompt).times(self.prices.text_in)
        images = self._images(request.quality, request.size)
        partial = self.partial_image_tokens * inputs.partial_images * self.prices.image_out
        # A finished image can be there before any partial one was.
        each = images.plus(Band(0, partial, partial))
        return text.plus(self._references(inputs)).plus(each.times(request.n))

    def cost(self, usage: Usage, images: int) -> int:
        """As `Rate` says."""
        return (
            usage.text_in * self.prices.text_in
            + usage.image_in * self.prices.image_in
            + usage.image_out * self.prices.image_out
            + usage.text_out * self.prices.text_out
        )

    def tokens(self, request: ImageRequest, inputs: Inputs) -> int:
        """As `Rate` says."""
        return replace(self, prices=Prices(1, 1, 1, 1)).band(request, inputs).expected

    def _references(self, inputs: Inputs) -> Band:
        whole = Band.exactly(0)
        if not (inputs.references or inputs.unseen or inputs.overlays):
            return whole
        if self.references is None:
            raise ValueError("the catalogue has no rule for the tokens of this model's input images")
        for width, height in inputs.references:
            whole = whole.plus(self.references.tokens(width, height, high_fidelity=inputs.high_fidelity))
        unseen = self.references.unseen(high_fidelity=inputs.high_fidelity)
        overlay = Band(0, 0, unseen.high)
        whole = whole.plus(unseen.times(inputs.unseen)).plus(overlay.times(inputs.overlays))
        return whole.times(self.prices.image_in)

    def _images(self, quality: str, size: str) -> Band:
        """One image; ``auto`` can turn out as the cheapest quality, and as the dearest."""
        if quality != "auto":
            return self._image(quality, size)
        bands = {name: self._image(name, size) for name in self.output.qualities}
        high = max(band.high for band in bands.values())
        usual = bands.get(USUAL_QUALITY)
        return Band(min(band.low for band in bands.values()), usual.expected if usual else high, high)

    def _image(self, quality: str, size: str) -> Band:
        mean = (self.text_out_expected or {}).get(quality, 0)
        text = Band(0, mean, self.text_out_tokens).times(self.prices.text_out)
        return self.output.tokens(quality, size).times(self.prices.image_out).plus(text)


@dataclass(frozen=True, slots=True)
class Model:
    """One model: how it is billed, what it takes, and how long it lives."""

    name: str
    rate: Rate
    factor: Decimal = Decimal(1)
    """What a reseller takes of the price; positive. A call's sum is rounded up to whole nano-dollars."""
    formats: tuple[OutputFormat, ...] = get_args(OutputFormat)
    backgrounds: tuple[Background, ...] = get_args(Background)
    parameters: tuple[Parameter, ...] = get_args(Parameter)
    fidelities: tuple[Fidelity, ...] = get_args(Fidelity)
    """What ``input_fidelity`` may be, where it is one of the parameters."""
    batch_factor: Decimal = Decimal(1)
    """What the provider's batch endpoint takes of the price; 1 where that is not documented."""
    uncertain: str | None = None
    """Why the maximum may be too low: it rests on a bound that is not published."""
    shutdown: date | None = None
    """The first day on which it is not served any more."""
    successor: str | None = None

    @property
    def qualities(self) -> tuple[str, ...]:
        """The qualities that it draws, ``auto`` aside; empty: any."""
        return self.rate.output.qualities if self.rate.output else ()

    def size_problem(self, size: str) -> str | None:
        """Why this size is not taken, or None where it is."""
        return self.rate.output.size_problem(size) if self.rate.output and size != "auto" else None

    def maximum(self, request: ImageRequest, inputs: Inputs | None = None) -> int:
        """The most that a call can cost, in nano-dollars: the high end of its estimate.

        Without ``inputs``, images that the request names count as unseen.

        ``auto`` quality counts as the model's best, ``auto`` size as the one with the most tokens,
        and the prompt as one token a UTF-8 byte, which a tokenizer never exceeds.

        Raises:
            KeyError: the model does not draw this quality or size (`Catalogue.problems` tells before).
            ValueError: there are input images, and no rule to count them by.
        """
        return self._charged(self.rate.band(request, inputs or Inputs.of(request)).high)

    def estimate(self, request: ImageRequest, inputs: Inputs | None = None) -> Estimate:
        """What a call can cost if it delivers every image that it asks for.

        Low is the cheapest that ``auto`` can become, with no text output and eight bytes of the prompt
        a token. Expected is medium quality, 1024x1024, four bytes a token and the mean text output.
        High is the maximum.

        Raises:
            KeyError: the model does not draw this quality or size.
            ValueError: there are input images, and no rule to count them by.
        """
        band = self.rate.band(request, inputs or Inputs.of(request))
        return Estimate(
            low_nano=self._charged(band.low),
            expected_nano=self._charged(band.expected),
            high_nano=self._charged(band.high),
            uncertain=[f"what {self.name} costs is uncertain: {self.uncertain}"] if self.uncertain else [],
        )

    def tokens(self, request: ImageRequest) -> int:
        """How many tokens a call is expected to count, in and out; 0 where it is priced by the image."""
        return self.rate.tokens(request, Inputs.of(request))

    def cost(self, usage: Usage, images: int) -> int:
        """What a call cost that delivered so many images, in nano-dollars.

        By its usage; where the price is flat, by its images alone.
        """
        return self._charged(self.rate.cost(usage, images))

    def _charged(self, nano: int) -> int:
        numerator, denominator = self.factor.as_integer_ratio()
        return _ceil_div(nano * numerator, denominator)
