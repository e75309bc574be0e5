"""The models that can be priced, read from the shipped price file and an operator's own."""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails

from imagemill.domain.money import parse_usd
from imagemill.domain.pricing import (
    Background,
    Fidelity,
    Flat,
    Grid,
    Megapixels,
    Metered,
    Model,
    Output,
    Parameter,
    Prices,
    Table,
    Tiles,
)
from imagemill.domain.request import MOST_IMAGES, ImageRequest, OutputFormat

NOTICE = timedelta(days=30)
"""So long before a model's shutdown one is warned of it."""

SHIPPED = "catalogue.toml"
BILLED = ("text_in", "image_in", "image_out", "text_out")
"""The kinds of token that a bill is made of; a metered model has a price for each."""


@dataclass(frozen=True, slots=True)
class Retired:
    """A model that was shut down and has no price any more."""

    name: str
    shutdown: date
    successor: str


class Catalogue:
    """The models that can be priced, by every name that they go under."""

    def __init__(self, version: str, models: Mapping[str, Model], retired: Mapping[str, Retired]) -> None:
        self.version = version
        self._models = dict(models)
        self._retired = dict(retired)

    @classmethod
    def load(cls, path: Path | None = None, factor: Decimal = Decimal(1)) -> "Catalogue":
        """Read the catalogue that ships with the service, and an operator's price file laid over it.

        A model or a family of the operator's file replaces the shipped one of that name, or is added, and
        the version becomes ``SHIPPED+OPERATOR'S``. The factor is what the provider takes of every price
        in both.

        Raises:
            ValueError: the factor is not positive, or a file is wrong; it says where, a line for each fault.
            OSError: there is no such file.
        """
        if not (factor.is_finite() and factor > 0):
            raise ValueError(f"the price factor must be positive, not {factor}")
        files = [PriceFile.parse(SHIPPED, resources.files(__package__).joinpath(SHIPPED).read_bytes())]
        if path:
            files.append(PriceFile.parse(path.name, path.read_bytes()))
        entries = _entries(files)
        read = {entry.name: _read(entry, factor) for entry in entries}
        named = {name: read[owner] for name, owner in _owners(entries).items()}
        return cls(
            version="+".join(file.version for file in files),
            models={name: model for name, model in named.items() if isinstance(model, Model)},
            retired={name: gone for name, gone in named.items() if isinstance(gone, Retired)},
        )

    def __contains__(self, name: str) -> bool:
        """Is there a price for this model?"""
        return name in self._models

    @property
    def names(self) -> list[str]:
        """Every name and alias of a model that has a price, sorted; also of those that were shut down."""
        return sorted(self._models)

    @property
    def retired(self) -> list[Retired]:
        """The models that have no price any more, by name."""
        return sorted(self._retired.values(), key=lambda gone: gone.name)

    def successor(self, name: str) -> str | None:
        """What follows a model that is shut down, or will be."""
        known = self._models.get(name) or self._retired.get(name)
        return known.successor if known else None

    def model(self, name: str) -> Model:
        """The model of that name.

        Raises:
            KeyError: the catalogue does not price it; unknown is not zero.
        """
        return self._models[name]

    def with_prices(self, stated: Mapping[str, int]) -> "Catalogue":
        """The same catalogue, and models at a job's own prices: nano-dollars an image, no factor applied.

        Raises:
            ValueError: one of them has a price already.
        """
        for name in stated:
            if name in self:
                raise ValueError(f"{name} has a price in the catalogue, which a job can't replace")
        flat = {name: Model(name=name, rate=Flat(nano)) for name, nano in stated.items()}
        return Catalogue(self.version, self._models | flat, self._retired)

    def scaled(self, factor_of: Callable[[str], Decimal]) -> "Catalogue":
        """The same catalogue at a factor for each model, instead of the one that it was loaded with."""
        scaled = {name: replace(model, factor=factor_of(name)) for name, model in self._models.items()}
        return Catalogue(self.version, scaled, self._retired)

    def problems(self, request: ImageRequest, today: date) -> list[tuple[str, str]]:
        """What is wrong with a request for its model: (field, what would be right); empty if nothing."""
        model = self._models.get(request.model)
        if model and model.shutdown and model.shutdown <= today:
            return [("model", f"{request.model} was shut down on {_when(model)}")]
        if model is None:
            return [("model", self.missing(request.model, today))]
        return list(_misfits(model, request))

    def warnings(self, name: str, today: date) -> list[str]:
        """A sentence if this model is to be shut down within 30 days; nothing where it has no price."""
        model = self._models.get(name)
        if model is None or model.shutdown is None or not today < model.shutdown <= today + NOTICE:
            return []
        return [f"{name} will be shut down on {_when(model)}"]

    def missing(self, name: str, today: date) -> str:
        """Why a model has no price, and what has one."""
        if (retired := self._retired.get(name)) and retired.shutdown <= today:
            return f"{name} was shut down on {_when(retired)}"
        served = [known for known in self.names if not (end := self._models[known].shutdown) or end > today]
        return (
            f"{name!r} has no price in the catalogue; priced are: {', '.join(served)};"
            " a job can state its own price of an image under /prices"
        )


def _when(ended: Model | Retired) -> str:
    return f"{ended.shutdown}; {ended.successor} follows it"


SAID: dict[Parameter, str] = {
    "background": "background",
    "moderation": "moderation",
    "output_compression": "output_compression",
    "complexity": "complexity",
    "input_fidelity": "input_fidelity",
    "mask": "mask",
    "markup": "markup",
    "safety_identifier": "end_user",
}
"""Parameters that not every model takes, and what they are called in a submission."""


def _misfits(model: Model, request: ImageRequest) -> Iterator[tuple[str, str]]:
    choices: tuple[tuple[str, str | None, Sequence[str]], ...] = (
        ("quality", request.quality, (*model.qualities, "auto") if model.qualities else ()),
        ("output_format", request.output_format, model.formats),
        ("background", request.background, model.backgrounds),
        ("input_fidelity", request.input_fidelity, _fidelities(model)),
    )
    for name, said, taken in choices:
        if taken and said is not None and said not in taken:
            yield name, f"{model.name} takes {_either(taken)}, not {said}"
    if problem := model.size_problem(request.size):
        yield "size", f"{request.size}: {problem}"
    for name, called in SAID.items():
        if getattr(request, name) is not None and name not in model.parameters:
            yield called, f"{model.name} does not take it; leave it out"
    if request.background == "transparent" and request.output_format == "jpeg":
        yield "background", "jpeg has no transparency; ask for png or webp"
    if request.output_compression is not None and request.output_format == "png":
        yield "output_compression", "png is not compressed with loss; ask for webp or jpeg"
    yield from _input_misfits(model, request)


def _input_misfits(model: Model, request: ImageRequest) -> Iterator[tuple[str, str]]:
    if len(request.images) > MOST_IMAGES:
        yield "images", f"there are {len(request.images)} images; at most {MOST_IMAGES} are taken"
    if request.mask and not request.images:
        yield "mask", "a mask says where an image is edited; name the image in images"
    if request.markup and not request.images:
        yield "markup", "markup is laid over an image; name the image in images"
    if request.mask and request.markup:
        yield "markup", "a request has a mask or markup, not both"
    if request.references and isinstance(model.rate, Metered) and model.rate.references is None:
        yield "images", f"the catalogue has no rule for the tokens of {model.name}'s input images"


def _fidelities(model: Model) -> Sequence[str]:
    return model.fidelities if "input_fidelity" in model.parameters else ()


def _either(choices: Sequence[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last


# --- price files ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A parsed price file, and on which line each of its tables and keys stands."""

    name: str
    version: str
    tables: Mapping[str, Mapping[str, dict[str, Any]]]
    """By kind (``families``, ``models``) and name."""
    lines: Mapping[tuple[str, ...], int]

    @classmethod
    def parse(cls, name: str, content: bytes) -> "PriceFile":
        """Read a file's text; what its tables say is checked by model.

        Raises:
            ValueError: it is no TOML, or not of this form.
        """
        try:
            text = content.decode()
            data = tomllib.loads(text)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        lines = _line_numbers(text)
        for path, problem in _shape_problems(data):
            raise ValueError(f"{name}{_line(lines, path)}: {problem}")
        tables = {kind: data.get(kind, {}) for kind in ("families", "models")}
        return cls(name, data["version"], tables, lines)

    def at(self, *path: str) -> str:
        """Where something stands: the file, and the line of the innermost table or key that is known."""
        return f"{self.name}{_line(self.lines, path)}"


def _shape_problems(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    for key in data:
        if key not in {"version", "families", "models"}:
            yield (key,), f"unknown key {key!r}; a price file has version, families and models"
    if not isinstance(data.get("version"), str):
        yield ("version",), 'it needs a version, such as version = "2026-11-21"; reports name it'
    for kind in ("families", "models"):
        if not isinstance(data.get(kind, {}), dict):
            yield (kind,), f"{kind} must be tables, such as [{kind}.NAME]"
            continue
        for name, row in data.get(kind, {}).items():
            if not isinstance(row, dict):
                yield (kind, name), f"{name} must be a table, [{kind}.{name}]"


def _line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """The line of each table header and key; tomllib does not tell, so this reads line by line."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.lstrip().startswith("[") and (path := _path(line)):
            table = path
        elif "=" in line and (path := _path(line.partition("=")[0] + "= 0")):
            path = table + path
        else:
            continue
        for depth in range(1, len(path) + 1):
            found.setdefault(path[:depth], number)
    return found


def _path(line: str) -> tuple[str, ...]:
    """The dotted key of a line by itself; empty where the line is something else."""
    try:
        data = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: tuple[str, ...] = ()
    while isinstance(data, dict) and data:
        [(key, data)] = data.items()
        path += (key,)
    return path


def _line(lines: Mapping[tuple[str, ...], int], path: Sequence[str]) -> str:
    for depth in range(len(path), 0, -1):
        if number := lines.get(tuple(path[:depth])):
            return f" line {number}"
    return ""


# --- models of a file ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A model's table and that of its family, each with the file that it stands in."""

    name: str
    own: dict[str, Any]
    file: PriceFile
    family: dict[str, Any] = field(default_factory=dict)
    family_file: PriceFile | None = None

    @property
    def row(self) -> dict[str, Any]:
        """All of its keys, its own over those of its family."""
        return {key: value for key, value in (self.family | self.own).items() if key != "family"}

    def problem(self, path: Sequence[str], text: str) -> str:
        """A fault and where it is: the key's line, or the header of the table that should have it."""
        if self.family_file is None or path[0] in self.own:
            place = self.file.at("models", self.name, *path)
        else:
            place = self.family_file.at("families", self.own["family"], *path)
        return f"{place}: model {self.name}: {text}"


def _entries(files: Sequence[PriceFile]) -> list[Entry]:
    """Every model of all files, a later file's instead of an earlier one's; the later file's come last."""
    families = {name: file for file in files for name in file.tables["families"]}
    models = {name: file for file in files for name in file.tables["models"]}
    return [
        _entry(name, file, families)
        for file in files
        for name in file.tables["models"]
        if models[name] is file
    ]


def _entry(name: str, file: PriceFile, families: Mapping[str, PriceFile]) -> Entry:
    own = file.tables["models"][name]
    if "family" not in own:
        return Entry(name, own, file)
    family = own["family"]
    home = families.get(family) if isinstance(family, str) else None
    if home is None:
        problem = f"there is no family {family!r}"
        raise ValueError(Entry(name, own, file).problem(("family",), problem))
    return Entry(name, own, file, home.tables["families"][family], home)


def _owners(entries: Sequence[Entry]) -> dict[str, str]:
    """Whose name each name and alias is.

    Those of the operator's file win. An alias goes with the table that gives it: who replaces a model
    states its aliases anew.
    """
    owners: dict[str, Entry] = {}
    for entry in entries:
        for name in [entry.name, *entry.row.get("aliases", [])]:
            other = owners.get(name)
            if other and other is not entry and other.file is entry.file:
                raise ValueError(entry.problem(("aliases",), f"{name} is a name of {other.name} too"))
            owners[name] = entry
    return {name: entry.name for name, entry in owners.items()}


# --- one model -----------------------------------------------------------------------------------


def _nano_per_token(usd_per_million: object) -> int:
    nano, rest = divmod(_nano(usd_per_million), 10**6)
    if rest:
        raise ValueError(f"{usd_per_million!r} a million tokens is finer than a nano-dollar a token")
    return nano


def _nano(usd: object) -> int:
    if not isinstance(usd, str):
        raise ValueError(f'a price is a string of US dollars, such as "{usd}"')
    return parse_usd(usd)


def _positive(text: object) -> Decimal:
    try:
        factor = Decimal(text) if isinstance(text, str) else Decimal("NaN")
    except InvalidOperation:
        factor = Decimal("NaN")
    if not (factor.is_finite() and factor > 0):
        raise ValueError(f'a factor is a positive number in a string, such as "0.5", not {text!r}')
    return factor


TokenPrice = Annotated[int, BeforeValidator(_nano_per_token)]
ImagePrice = Annotated[int, BeforeValidator(_nano)]
Factor = Annotated[Decimal, BeforeValidator(_positive)]
Name = Annotated[str, StringConstraints(min_length=1)]
Size = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{1,4}x[1-9]\d{1,4}$")]
Row = Annotated[dict[Size, PositiveInt], Field(min_length=1)]


class ModelRow(BaseModel):
    """A model as a price file describes it, its family's keys included; `catalogue.toml` explains them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    aliases: list[Name] = Field(default_factory=list)
    usd_per_image: ImagePrice | None = None
    text_in: TokenPrice | None = None
    image_in: TokenPrice | None = None
    image_out: TokenPrice | None = None
    text_out: TokenPrice | None = None
    text_in_cached: TokenPrice | None = None
    image_in_cached: TokenPrice | None = None
    batch_factor: Factor = Decimal(1)
    tokens: dict[Name, Row] | None = Field(default=None, min_length=1)
    grid: dict[Name, PositiveInt] | None = Field(default=None, min_length=1)
    grid_factor: dict[Name, Factor] = Field(default_factory=dict)
    text_out_tokens: NonNegativeInt | None = None
    text_out_expected: dict[Name, NonNegativeInt] = Field(default_factory=dict)
    partial_image_tokens: NonNegativeInt = 0
    image_in_tiles: Tiles | None = None
    image_in_megapixels: Megapixels | None = None
    formats: list[OutputFormat] = Field(default=list(get_args(OutputFormat)), min_length=1)
    backgrounds: list[Background] = list(get_args(Background))
    parameters: list[Parameter] = list(get_args(Parameter))
    fidelities: list[Fidelity] = list(get_args(Fidelity))
    uncertain: Name | None = None
    shutdown: date | None = None
    successor: Name | None = None

    @property
    def metered(self) -> bool:
        """Does it have a price for any kind of token?"""
        return any(getattr(self, kind) is not None for kind in BILLED)

    @property
    def retired(self) -> bool:
        """Is it only here to say that it is gone?"""
        return self.shutdown is not None and self.model_fields_set <= {"aliases", "shutdown", "successor"}

    def holes(self) -> Iterator[tuple[str, str]]:
        """What does not go together, or is missing: (key, problem)."""
        if self.shutdown and not self.successor:
            yield "shutdown", "it is shut down; name what follows it as successor"
        if self.retired:
            return
        if self.usd_per_image is None:
            yield from self._token_holes()
        elif self.metered:
            yield "usd_per_image", "it has a price for an image and prices for tokens; one of them must go"

    def _token_holes(self) -> Iterator[tuple[str, str]]:
        for kind in BILLED:
            if getattr(self, kind) is None:
                yield kind, f'no price for {kind}; write "0" if it is free'
        if (self.tokens is None) == (self.grid is None):
            yield "grid", "it needs either tokens or grid, which say how many output tokens an image has"
        if len({frozenset(row) for row in (self.tokens or {}).values()}) > 1:
            yield "tokens", "tokens: every quality must have the same sizes"
        if self.text_out and self.text_out_tokens is None:
            yield "text_out", "text output is billed; give its bound as text_out_tokens"
        if max(self.text_out_expected.values(), default=0) > (self.text_out_tokens or 0):
            yield "text_out_expected", "text_out_expected is above its bound, text_out_tokens"
        for key in ("text_out_expected", "grid_factor"):
            if strange := getattr(self, key).keys() - (self.tokens or self.grid or {}).keys():
                yield key, f"{key}: it has no quality {', '.join(sorted(strange))}"
        if self.image_in_tiles and self.image_in_megapixels:
            yield "image_in_tiles", "it needs image_in_tiles or image_in_megapixels, not both"

    def rate(self) -> Flat | Metered:
        """How it is billed; there must be no holes."""
        if self.usd_per_image is not None:
            return Flat(self.usd_per_image)
        kinds = (*BILLED, "text_in_cached", "image_in_cached")
        return Metered(
            prices=Prices(**{kind: getattr(self, kind) for kind in kinds}),
            output=self._output(),
            text_out_tokens=self.text_out_tokens or 0,
            text_out_expected=self.text_out_expected,
            partial_image_tokens=self.partial_image_tokens,
            references=self.image_in_tiles or self.image_in_megapixels,
        )

    def _output(self) -> Output:
        return Table(self.tokens) if self.tokens else Grid(self.grid or {}, self.grid_factor)


def _read(entry: Entry, factor: Decimal) -> Model | Retired:
    row = _row(entry)
    if row.retired and row.shutdown and row.successor:
        return Retired(entry.name, row.shutdown, row.successor)
    return Model(
        name=entry.name,
        rate=row.rate(),
        factor=factor,
        formats=tuple(row.formats),
        backgrounds=tuple(row.backgrounds),
        parameters=tuple(row.parameters),
        fidelities=tuple(row.fidelities),
        batch_factor=row.batch_factor,
        uncertain=row.uncertain,
        shutdown=row.shutdown,
        successor=row.successor,
    )


def _row(entry: Entry) -> ModelRow:
    try:
        row = ModelRow.model_validate(entry.row)
    except ValidationError as error:
        faults = [(_keys(details), _fault(details)) for details in error.errors()]
    else:
        faults = [((key,), problem) for key, problem in row.holes()]
    if faults:
        raise ValueError("\n".join(entry.problem(path, problem) for path, problem in faults))
    return row


def _keys(details: ErrorDetails) -> tuple[str, ...]:
    return tuple(str(key) for key in details["loc"])


def _fault(details: ErrorDetails) -> str:
    path = ".".join(_keys(details))
    if details["type"] == "extra_forbidden":
        hint = "; a name with a dot in it must be quoted" if isinstance(details["input"], dict) else ""
        return f"unknown key {path}{hint}"
    return f"{path}: {details['msg'].removeprefix('Value error, ')}"
