"""``docs/reference/models.md``: the catalogue as a page."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from imagemill.domain.catalogue import Catalogue, Retired
from imagemill.domain.money import format_usd
from imagemill.domain.pricing import Metered, Model, Table
from imagemill.domain.request import ImageRequest

INTRO = """\
The models that Imagemill can price, from the catalogue that ships with it, version `{version}`. A file of
the operator's own (`IMAGEMILL_PRICES_CATALOGUE`) is laid over it. A model that is not here can be bought if
the job states its price of an image under `prices`. `GET /v1/models` tells what a running service sells, and
from which pools.

Any model takes `prompt`, `n` from 1 to 10, and `auto` as size and as quality."""

EXAMPLE = "An image costs, at 1024x1024 with a prompt of 100 bytes: usually, and at most, which is reserved."
SIZES = """\
## Sizes

Models with `WxH` take any size whose edges are divisible by 16, at most 3840 long, at a ratio from 1:3 to
3:1, with 655,360 to 8,294,400 pixels. `auto` is reserved as 2880x2880, the size with the most tokens."""

OWN_COLUMNS = ("background", "mask", "markup", "input_fidelity")


def models_page(generated: str) -> str:
    """The page; ``generated`` is its first line."""
    catalogue = Catalogue.load()
    models = [catalogue.model(name) for name in catalogue.names if catalogue.model(name).name == name]
    parts = [
        generated,
        "# Models",
        INTRO.format(version=catalogue.version),
        "## Prices",
        "US dollars for a million tokens.",
        _table(
            ("model", "also named", "text in", "image in", "image out", "text out"),
            _prices(catalogue, models),
        ),
        "## What an image costs",
        EXAMPLE,
        _table(
            ("model", "quality", "usually", "at most"), [row for model in models for row in _costs(model)]
        ),
        "## What they take",
        _table(("model", "qualities", "sizes", "formats", *OWN_COLUMNS), [_takes(model) for model in models]),
        SIZES,
        "## Shutdowns",
        "From the day on, a submission is refused, and says what follows; in the 30 days before, it is "
        "warned. A job can name a pool that still serves such a model.",
        _table(("model", "shut down on", "what follows it"), list(_shutdowns(catalogue, models))),
        "## What is uncertain",
        "These models' maxima rest on something unpublished: their calls are made one by one until five in "
        "a row have cost no more than was reserved.",
        _table(("model", "why"), [(f"`{m.name}`", m.uncertain) for m in models if m.uncertain]),
    ]
    return "\n\n".join(parts) + "\n"


def _prices(catalogue: Catalogue, models: Sequence[Model]) -> Iterator[tuple[str, ...]]:
    for model in models:
        others = [
            f"`{name}`" for name in catalogue.names if name != model.name and catalogue.model(name) is model
        ]
        if isinstance(model.rate, Metered):
            prices = model.rate.prices
            kinds = (prices.text_in, prices.image_in, prices.image_out, prices.text_out)
            yield f"`{model.name}`", ", ".join(others), *(_million(nano) for nano in kinds)


def _costs(model: Model) -> Iterator[tuple[str, ...]]:
    for quality in (*model.qualities, "auto"):
        request = ImageRequest(prompt="x" * 100, model=model.name, size="1024x1024", quality=quality)
        estimate = model.estimate(request)
        usual, most = (_dollars(nano) for nano in (estimate.expected_nano, estimate.high_nano))
        yield f"`{model.name}`", quality, usual, most


def _takes(model: Model) -> tuple[str, ...]:
    output = model.rate.output
    sizes = ", ".join(next(iter(output.rows.values()))) if isinstance(output, Table) else "WxH"
    own = [
        ", ".join(model.backgrounds) if name == "background" and name in model.parameters
        else "yes" if name in model.parameters else ""
        for name in OWN_COLUMNS
    ]  # fmt: skip
    return f"`{model.name}`", ", ".join(model.qualities), sizes, ", ".join(model.formats), *own


def _shutdowns(catalogue: Catalogue, models: Sequence[Model]) -> Iterator[tuple[str, ...]]:
    ending: list[Model | Retired] = [model for model in models if model.shutdown]
    for model in sorted([*ending, *catalogue.retired], key=lambda each: (str(each.shutdown), each.name)):
        yield f"`{model.name}`", str(model.shutdown), f"`{model.successor}`"


def _million(nano: int) -> str:
    return f"{Decimal(nano) / 1000:f}"


def _dollars(nano: int) -> str:
    return f"${format_usd(-(-nano // 100_000) * 100_000)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
