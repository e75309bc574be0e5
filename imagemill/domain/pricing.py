"""What a call can cost at most, and what it did cost, from the catalogue of models."""

import math
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from imagemill.domain.request import ImageRequest

LARGEST_SIZE = (2880, 2880)
"""The legal size with the most tokens; what ``size: auto`` reserves."""

TEXT_OVERHEAD_TOKENS = 6
"""Added by the provider to the prompt's own tokens on generations."""


class Usage(BaseModel):
    """What the provider counted for one call, in tokens."""

    text_in: int = 0
    image_in: int = 0
    image_out: int = 0
    text_out: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """One model: prices in nano-dollars per token, the grid of each quality, the bound on text output."""

    name: str
    text_in: int
    image_in: int
    image_out: int
    text_out: int
    text_out_tokens: int
    grid: dict[str, int]

    def maximum(self, request: ImageRequest) -> int:
        """The most that a call can cost, in nano-dollars.

        ``auto`` quality counts as the model's best, ``auto`` size as the one with the most tokens,
        and the prompt as one token a UTF-8 byte, which a tokenizer never exceeds.
        """
        quality = (
            max(self.grid, key=lambda name: self.grid[name]) if request.quality == "auto" else request.quality
        )
        size = LARGEST_SIZE if request.size == "auto" else parse_size(request.size)
        text = len(request.prompt.encode()) + TEXT_OVERHEAD_TOKENS
        image = (
            output_tokens(self.grid[quality], *size) * self.image_out + self.text_out_tokens * self.text_out
        )
        return text * self.text_in + request.n * image

    def cost(self, usage: Usage) -> int:
        """What a call cost by its usage, in nano-dollars."""
        return (
            usage.text_in * self.text_in
            + usage.image_in * self.image_in
            + usage.image_out * self.image_out
            + usage.text_out * self.text_out
        )


def output_tokens(grid: int, width: int, height: int) -> int:
    """Output tokens of one image (the provider's published formula for its models since 2)."""
    short, long = sorted((width, height))
    side = math.floor(Decimal(grid * short) / long + Decimal("0.5"))
    return math.ceil(Decimal(grid * side * (2_000_000 + width * height)) / 4_000_000)


def parse_size(size: str) -> tuple[int, int]:
    """Read ``WxH`` as pixels."""
    width, _, height = size.partition("x")
    return int(width), int(height)


class Catalogue:
    """The models that can be priced, by every name that they go under."""

    def __init__(self, version: str, models: list[tuple[Model, list[str]]]) -> None:
        self.version = version
        self._by_name = {name: model for model, aliases in models for name in [model.name, *aliases]}

    @classmethod
    def load(cls, path: Path | None = None) -> "Catalogue":
        """Read the catalogue that ships with the service, or an operator's own file of the same form."""
        text = (
            path.read_text() if path else resources.files(__package__).joinpath("catalogue.toml").read_text()
        )
        data = tomllib.loads(text)
        return cls(data["version"], [_read_model(name, row) for name, row in data["models"].items()])

    def __contains__(self, name: str) -> bool:
        """Is there a price for this model?"""
        return name in self._by_name

    @property
    def names(self) -> list[str]:
        """Every model name and alias, sorted."""
        return sorted(self._by_name)

    def model(self, name: str) -> Model:
        """The model of that name.

        Raises:
            KeyError: the catalogue does not price it; unknown is not zero.
        """
        return self._by_name[name]

    def problems(self, request: ImageRequest) -> list[tuple[str, str]]:
        """What is wrong with a request for its model: (field, what would be right); empty if nothing."""
        if request.model not in self:
            known = ", ".join(self.names)
            return [("model", f"{request.model!r} has no price in the catalogue; priced are: {known}")]
        model = self.model(request.model)
        found = []
        if request.quality not in {*model.grid, "auto"}:
            found.append(
                ("quality", f"{model.name} takes {', '.join(model.grid)} or auto, not {request.quality}")
            )
        if request.size != "auto" and (problem := size_problem(*parse_size(request.size))):
            found.append(("size", f"{request.size}: {problem}"))
        if request.background == "transparent" and request.output_format == "jpeg":
            found.append(("background", "jpeg has no transparency; ask for png or webp"))
        if request.output_compression is not None and request.output_format == "png":
            found.append(("output_compression", "png is not compressed with loss; ask for webp or jpeg"))
        return found


def size_problem(width: int, height: int) -> str | None:
    """Why the models since 2 don't take this size, or None where they do."""
    if width % 16 or height % 16:
        return "both edges must be divisible by 16"
    if max(width, height) > 3840:
        return "no edge may be longer than 3840 pixels"
    if max(width, height) > 3 * min(width, height):
        return "the ratio must lie between 1:3 and 3:1"
    if not 655_360 <= width * height <= 8_294_400:
        return "an image must have 655,360 to 8,294,400 pixels"
    return None


def _read_model(name: str, row: dict[str, Any]) -> tuple[Model, list[str]]:
    kinds = ("text_in", "image_in", "image_out", "text_out")
    prices = {kind: _nano_per_token(name, kind, row.get(kind)) for kind in kinds}
    if prices["text_out"] and "text_out_tokens" not in row:
        raise ValueError(f"catalogue: model {name} bills text output; give its bound as text_out_tokens")
    text_out_tokens = row.get("text_out_tokens", 0)
    return Model(name=name, grid=row["grid"], text_out_tokens=text_out_tokens, **prices), row.get(
        "aliases", []
    )


def _nano_per_token(model: str, kind: str, usd_per_million: str | None) -> int:
    if usd_per_million is None:
        raise ValueError(f'catalogue: model {model} has no price for {kind}; write "0" if it is free')
    nano = Decimal(usd_per_million) * 1000
    if nano != nano.to_integral_value() or nano < 0:
        raise ValueError(
            f"catalogue: model {model}, {kind}: {usd_per_million!r} is not a price in whole nano-dollars"
        )
    return int(nano)
