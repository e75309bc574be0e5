"""What `submit`, `estimate` and `schedules create` can be told about a job of a manifest."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli import completion

CAP_OPTIONS = ("--limit-usd", "--cap")
_NAMES = {"variants": "variant", "images": "image", "pools": "pool", "renditions": "rendition"}


class Format(StrEnum):
    """What images are encoded as."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


class Feed(StrEnum):
    """Feeds that are known by name."""

    SHOPIFY_PRODUCTS = "shopify-products"
    SHOPIFY_VARIANTS = "shopify-variants"
    MERCHANT_TSV = "merchant-tsv"
    MERCHANT_XML = "merchant-xml"


class Encoding(StrEnum):
    """What a manifest's text can be in; without a word, what its byte order mark says, else UTF-8."""

    WINDOWS_1252 = "windows-1252"


class OnExhausted(StrEnum):
    """What becomes of items that the cap leaves no money for."""

    HOLD = "hold"
    SKIP = "skip"


class OnUnknown(StrEnum):
    """What is done after a call that may have been billed and brought nothing."""

    RETRY = "retry"
    HOLD = "hold"
    SKIP = "skip"


class Reuse(StrEnum):
    """Where an item may be found that was answered before."""

    NONE = "none"
    SCHEDULE = "schedule"
    TENANT = "tenant"


def _template(option: str, text: str) -> Any:
    return typer.Option(option, metavar="TEMPLATE", help=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options; None, or nothing of what is repeatable, is left to the service."""

    id: Annotated[str | None, _template("--id", "An item's id: Liquid over `row`.")] = None
    prompt: Annotated[str | None, _template("--prompt", "Its prompt: Liquid over `row`.")] = None
    where: Annotated[
        str | None, _template("--where", "A row is in if this is more than nothing, false or 0.")
    ] = None
    images: Annotated[
        list[str] | None,
        _template("--image", "An input image: Liquid that gives an address or a file's id; repeatable."),
    ] = None
    mask: Annotated[str | None, _template("--mask", "Where the first one is edited: likewise.")] = None
    markup: Annotated[str | None, _template("--markup", "What is laid over the first one: likewise.")] = None
    variants: Annotated[
        list[str] | None,
        typer.Option("--variant", metavar="NAME:SIZE[:QUALITY]", help="A picture of each row; repeatable."),
    ] = None
    feed: Annotated[
        Feed | None, typer.Option(help="FILE is a known feed, which brings its own --id and --prompt.")
    ] = None
    encoding: Annotated[
        Encoding | None, typer.Option(help="The encoding of FILE, where it is not UTF-8 or UTF-16.")
    ] = None
    model: Annotated[
        str | None,
        typer.Option(help="The model; `imagemill models` lists them.", autocompletion=completion.models),
    ] = None
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Size in pixels, or auto.")] = None
    quality: Annotated[str | None, typer.Option(help="The model's own names, or auto.")] = None
    format: Annotated[Format | None, typer.Option("--format", help="How images are encoded.")] = None
    n: Annotated[int | None, typer.Option(min=1, max=10, help="Images of each item.")] = None
    renditions: Annotated[
        list[str] | None,
        typer.Option(
            "--rendition",
            metavar="NAME:WIDTH[xHEIGHT][:FORMAT][:QUALITY][:FIT]",
            help="A copy of each image in another size and format, as web:800x800:webp:80; repeatable.",
        ),
    ] = None
    key: Annotated[
        str | None, _template("--key", "Names of images: Liquid over custom_id, variant, n, ext.")
    ] = None
    limit_usd: Annotated[
        str | None,
        typer.Option(*CAP_OPTIONS, metavar="USD", help="The cap, never passed. Required with a manifest."),
    ] = None
    on_exhausted: Annotated[
        OnExhausted | None,
        typer.Option(help="When the cap is used up: hold the job until it is raised, or skip what is left."),
    ] = None
    on_unknown: Annotated[
        OnUnknown | None,
        typer.Option(
            help="After a call whose bill can't be known: buy again, hold the job, or skip the item."
        ),
    ] = None
    reuse: Annotated[
        Reuse | None,
        typer.Option(
            help="Take what was bought before for the same request, of this schedule or of all jobs."
        ),
    ] = None
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None
    priority: Annotated[int | None, typer.Option(min=1, max=5, help="1 goes first.")] = None
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Who is told when the job is held or ends.")
    ] = None
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="A note on the job that lists can be filtered by; repeatable."
        ),
    ] = None
    pools: Annotated[
        list[str] | None,
        typer.Option(
            "--pool", help="A provider account to buy from; the next one is taken where one is in trouble."
        ),
    ] = None

    @property
    def used(self) -> dict[str, Any]:
        """The options that were used, by field."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in values.items() if value is not None and value not in ((), [])}

    @property
    def given(self) -> list[str]:
        """The options that were used, as they are typed."""
        return [f"--{_NAMES.get(name, name.replace('_', '-'))}" for name in self.used]

    def require(self, *names: str) -> None:
        """Raises `BadParameter` unless all of these were used."""
        missing = sorted(set(names) - set(self.given), key=names.index)
        if missing:
            raise typer.BadParameter(f"a manifest also needs {', '.join(missing)}")
