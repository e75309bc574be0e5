"""The models that the sandbox serves: prices, sizes and token tables, read from ``catalog.json``."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("catalog.json")


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in nano-dollars a token."""

    text_in: int
    image_in: int
    image_out: int
    text_out: int


@dataclass(frozen=True, slots=True)
class Family:
    """What the models of one generation share.

    Exactly one of `table` (tokens by quality and size) and `grid` (the side of the token grid by
    quality) is filled. `sizes` lists the only legal sizes, or is empty where any legal size will do.
    `permille` scales the grid's result by quality, `mean_text_out` is the text that comes with an image.
    """

    prices: Prices
    sizes: tuple[str, ...] = ()
    table: dict[str, dict[str, int]] = field(default_factory=dict)
    grid: dict[str, int] = field(default_factory=dict)
    permille: dict[str, int] = field(default_factory=dict)
    mean_text_out: dict[str, int] = field(default_factory=dict)

    @property
    def qualities(self) -> tuple[str, ...]:
        """The qualities that these models draw, cheapest first."""
        return tuple(self.table or self.grid)


@dataclass(frozen=True, slots=True)
class Model:
    """One model, as ``GET /v1/models`` lists it."""

    id: str
    family: Family
    created: int
    shutdown_date: str | None


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models by id, and the dates on which others were retired."""

    models: dict[str, Model]
    retired: dict[str, str]


def load(path: Path = DATA) -> Catalog:
    """Read the catalog.

    Raises:
        KeyError: a model names a family that the file does not describe.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    families = {name: _family(entry) for name, entry in data["families"].items()}
    models = {
        name: Model(name, families[entry["family"]], entry["created"], entry["shutdown_date"])
        for name, entry in data["models"].items()
    }
    return Catalog(models, data["retired"])


def _family(entry: dict[str, Any]) -> Family:
    rest = {key: value for key, value in entry.items() if key not in {"prices", "sizes"}}
    return Family(prices=Prices(**entry["prices"]), sizes=tuple(entry.get("sizes", ())), **rest)
