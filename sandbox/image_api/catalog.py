"""The models that the sandbox serves: prices, sizes and token tables, read from ``catalog.json``."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
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
class InputRate:
    """What an input image takes in tokens: by tiles, or where `pixels_a_token` is set by its area."""

    base: int = 0
    tile: int = 0
    fidelity_square: int = 0
    fidelity_other: int = 0
    pixels_a_token: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Family:
    """What the models of one generation share.

    Exactly one of `table` (tokens by quality and size) and `grid` (the side of the token grid by
    quality) is filled. `sizes` lists the only legal sizes, or is empty where any legal size will do.
    `permille` scales the grid's result by quality, `mean_text_out` is the text that comes with an image.
    `fidelities` are the values of `input_fidelity`; without any the parameter is an error.
    """

    prices: Prices
    input_image: InputRate = InputRate()
    sizes: tuple[str, ...] = ()
    table: dict[str, dict[str, int]] = field(default_factory=dict)
    grid: dict[str, int] = field(default_factory=dict)
    permille: dict[str, int] = field(default_factory=dict)
    mean_text_out: dict[str, int] = field(default_factory=dict)
    fidelities: tuple[str, ...] = ()
    markup: bool = False

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
class Rate:
    """What a model's minute holds."""

    images: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models by id.

    Attributes:
        models: those that are served.
        retired: the dates on which others were shut down.
        dormant: of those that were shut down, the ones that another provider may still serve.
        tiers: what an account's minute holds, by its tier.
    """

    models: dict[str, Model]
    retired: dict[str, str]
    dormant: dict[str, Model]
    tiers: dict[int, Rate]

    def on(self, day: date, serves: Collection[str] = ()) -> "Catalog":
        """The catalog as of a day; the models in `serves` outlive their date."""
        known = self.dormant | self.models
        over = {name for name in known if name not in serves and _is_over(known[name], day)}
        served = {name: model for name, model in known.items() if name not in over}
        retired = self.retired | {name: str(known[name].shutdown_date) for name in over}
        return Catalog(served, retired, {name: known[name] for name in over}, self.tiers)


def load(path: Path = DATA) -> Catalog:
    """Read the catalog.

    Raises:
        KeyError: a model names a family that the file does not describe.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    families = {name: _family(entry) for name, entry in data["families"].items()}
    kept = {name: entry for name, entry in data["retired"].items() if "family" in entry}
    return Catalog(
        models={name: _model(name, entry, families) for name, entry in data["models"].items()},
        retired={name: entry["shutdown_date"] for name, entry in data["retired"].items()},
        dormant={name: _model(name, entry, families) for name, entry in kept.items()},
        tiers={int(tier): Rate(**rate) for tier, rate in data["tiers"].items()},
    )


def _is_over(model: Model, day: date) -> bool:
    return model.shutdown_date is not None and day >= date.fromisoformat(model.shutdown_date)


def _model(name: str, entry: dict[str, Any], families: dict[str, Family]) -> Model:
    return Model(name, families[entry["family"]], entry["created"], entry["shutdown_date"])


def _family(entry: dict[str, Any]) -> Family:
    parts: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    parts["prices"] = Prices(**entry["prices"])
    parts["input_image"] = InputRate(**entry["input_image"])
    return Family(**parts)
