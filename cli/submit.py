"""`imagemill submit`: a job from a manifest, or as JSON."""

import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.answers import Job
from cli.asking import Asking, ask_first, estimate_lines, stop_if_it_fails
from cli.client import Client
from cli.money import parse_amount
from cli.patience import patiently
from cli.progress import view_for
from cli.running import err, out, run, whisper
from cli.service import Url
from cli.submission import Options, manifest_body, manifest_format, read_job, with_file
from cli.watch import follow, verdict


class Format(StrEnum):
    """What images are encoded as."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


Manifest = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False, help="The manifest: CSV, JSONL or a feed, or gzip of it."
    ),
]
JobJson = Annotated[
    str | None,
    typer.Option("--job", metavar="FILE", help="A whole submission as JSON instead; - is standard input."),
]
Variants = Annotated[
    list[str] | None,
    typer.Option("--variant", metavar="NAME:SIZE[:QUALITY]", help="A picture of each row; repeatable."),
]


Renditions = Annotated[
    list[str] | None,
    typer.Option(
        "--rendition",
        metavar="NAME:WIDTH[xHEIGHT][:FORMAT][:QUALITY][:FIT]",
        help="A copy of each image in another size and format, as web:800x800:webp:80; repeatable.",
    ),
]


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


def _template(option: str, text: str) -> Any:
    return typer.Option(option, metavar="TEMPLATE", help=text)


def submit(
    file: Manifest = None,
    *,
    job: JobJson = None,
    id_: Annotated[str | None, _template("--id", "An item's id: Liquid over `row`.")] = None,
    prompt: Annotated[str | None, _template("--prompt", "Its prompt: Liquid over `row`.")] = None,
    where: Annotated[
        str | None, _template("--where", "A row is in if this is more than nothing, false or 0.")
    ] = None,
    image: Annotated[
        list[str] | None,
        _template("--image", "An input image: Liquid that gives an address or a file's id; repeatable."),
    ] = None,
    mask: Annotated[str | None, _template("--mask", "Where the first one is edited: likewise.")] = None,
    markup: Annotated[str | None, _template("--markup", "What is laid over the first one: likewise.")] = None,
    variant: Variants = None,
    feed: Annotated[
        Feed | None, typer.Option(help="FILE is a known feed, which brings its own --id and --prompt.")
    ] = None,
    encoding: Annotated[
        Encoding | None, typer.Option(help="The encoding of FILE, where it is not UTF-8 or UTF-16.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Size in pixels, or auto.")] = None,
    quality: Annotated[str | None, typer.Option(help="The model's own names, or auto.")] = None,
    format_: Annotated[Format | None, typer.Option("--format", help="How images are encoded.")] = None,
    n: Annotated[int | None, typer.Option(min=1, max=10, help="Images of each item.")] = None,
    key: Annotated[
        str | None, _template("--key", "Names of images: Liquid over custom_id, variant, n, ext.")
    ] = None,
    limit_usd: Annotated[
        str | None, typer.Option(metavar="USD", help="The cap, never passed. Required with a manifest.")
    ] = None,
    on_exhausted: Annotated[
        OnExhausted | None,
        typer.Option(help="When the cap is used up: hold the job until it is raised, or skip what is left."),
    ] = None,
    on_unknown: Annotated[
        OnUnknown | None,
        typer.Option(
            help="After a call whose bill can't be known: buy again, hold the job, or skip the item."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    priority: Annotated[int | None, typer.Option(min=1, max=5, help="1 goes first.")] = None,
    pool: Annotated[
        list[str] | None,
        typer.Option(help="A provider account to buy from; the next one is taken where one is in trouble."),
    ] = None,
    rendition: Renditions = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key is the same job.", show_default="a new one each time")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Show what it would cost, and submit nothing.")
    ] = False,
    ask_above: Annotated[
        str,
        typer.Option(
            metavar="USD", envvar="IMAGEMILL_ASK_ABOVE_USD", help="Ask if more than this may be spent."
        ),
    ] = "10.00",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing, and go on without an estimate if need be.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on watching until it ends.")] = False,
    url: Url = None,
) -> None:
    """Submits a job and prints its id.

    Takes a manifest with --id, --prompt, --model and --limit-usd, or --job. With --feed, --id and --prompt
    can be left out.

    With both, FILE is uploaded to be the file of the manifest in --job.

    Shows first what it would cost. If more may be spent than --ask-above allows, it asks on a terminal, and
    without one submits only with --yes.

    What fails for a moment is tried again, and never makes two jobs.
    """
    options = Options(
        id=id_,
        prompt=prompt,
        where=where,
        images=tuple(image or ()),
        mask=mask,
        markup=markup,
        variants=tuple(variant or ()),
        model=model,
        size=size,
        quality=quality,
        format=format_ and format_.value,
        feed=feed and feed.value,
        encoding=encoding and encoding.value,
        n=n,
        key=key,
        limit_usd=limit_usd,
        on_exhausted=on_exhausted and on_exhausted.value,
        on_unknown=on_unknown and on_unknown.value,
        name=name,
        priority=priority,
        pools=tuple(pool or ()),
        renditions=tuple(rendition or ()),
    )
    body = _body(file, job, options)
    asking = Asking(parse_amount(ask_above, "--ask-above"), yes)
    if estimate:
        if watch or yes:
            raise typer.BadParameter("--estimate submits nothing; leave out --watch and --yes")
        run(url, lambda client: _estimate(client, body, file))
    once = idempotency_key or secrets.token_hex(16)
    run(url, lambda client: _submit(client, body, file, once, asking, watch=watch))


def _body(file: Path | None, job: str | None, options: Options) -> dict[str, Any]:
    """The submission, but for the id of a file that is still to be uploaded."""
    if job is not None:
        return _from_json(file, job, options)
    if file is None:
        raise typer.BadParameter("give a manifest FILE, or --job")
    form = manifest_format(file, options.feed)
    options.require(*(() if options.feed else ("--id", "--prompt")), "--model", "--limit-usd")
    return manifest_body(options, form)


def _from_json(file: Path | None, job: str, options: Options) -> dict[str, Any]:
    if options.given:
        raise typer.BadParameter(f"--job says it all; leave out {', '.join(options.given)}")
    body = read_job(job)
    if file is not None and not isinstance(body.get("manifest"), dict):
        raise typer.BadParameter("the submission has no manifest for FILE to be the file of")
    return body


async def _estimate(client: Client, body: dict[str, Any], file: Path | None) -> int:
    whole = await uploaded(client, body, file)
    found = await patiently(lambda: client.validate(whole), say=whisper)
    for line in estimate_lines(found):
        typer.echo(line)
    stop_if_it_fails(found)
    return 0


async def _submit(
    client: Client, body: dict[str, Any], file: Path | None, key: str, asking: Asking, *, watch: bool
) -> int:
    body = await uploaded(client, body, file)
    await ask_first(client, body, asking)
    accepted = await send(client, body, key)
    console = out()
    if console.is_terminal:
        console.print(f"[green]Accepted:[/] {accepted.id}")
    else:
        typer.echo(accepted.id)
    if watch:
        # Standard output is the id's alone if a script reads it.
        ended = await follow(client, accepted.id, view_for(console if console.is_terminal else err()))
        return verdict(ended)
    if console.is_terminal:
        console.print(f"  imagemill watch {accepted.id}")
        console.print(f"  imagemill results {accepted.id} --to FOLDER")
    return 0


async def uploaded(client: Client, body: dict[str, Any], file: Path | None) -> dict[str, Any]:
    """The whole submission: uploads the manifest, if there is one; tries again for a few seconds."""
    if file is None:
        return body
    return with_file(body, await patiently(lambda: client.upload(file), say=whisper))


async def send(client: Client, body: dict[str, Any], key: str) -> Job:
    """Submits; tries again for a few seconds."""
    return await patiently(lambda: client.submit(body, key), say=whisper)
