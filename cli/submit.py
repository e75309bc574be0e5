"""`imagemill submit`: a job from a manifest, or as JSON."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.answers import Job
from cli.asking import Asking, ask_first
from cli.client import Client
from cli.estimate import show_estimate
from cli.job_source import Manifest, Source, body_of, uploaded
from cli.money import parse_amount
from cli.option_groups import grouped
from cli.patience import patiently
from cli.reading import Told
from cli.running import out, run, whisper
from cli.service import Url
from cli.submit_options import Options
from cli.telling import print_line
from cli.watch import attend

Once = Annotated[
    str | None, typer.Option(help="The same key is the same job.", show_default="a new one each time")
]
Watch = Annotated[bool, typer.Option("--watch", help="Go on watching until it ends.")]
JobAsJson = Annotated[
    bool, typer.Option("--json", help="Print the job as JSON; with --watch a line for each change.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Options about money, before it can be spent."""

    ask_above: Annotated[
        str,
        typer.Option(
            metavar="USD", envvar="IMAGEMILL_ASK_ABOVE_USD", help="Ask if more than this may be spent."
        ),
    ] = "10.00"
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing, and go on without an estimate if need be.")
    ] = False


@grouped
def submit(
    file: Manifest = None,
    *,
    source: Source,
    options: Options,
    idempotency_key: Once = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Show what it would cost, and submit nothing.")
    ] = False,
    consent: Consent,
    watch: Watch = False,
    json: JobAsJson = False,
    url: Url = None,
) -> None:
    """Submits a job and prints its id.

    Takes a manifest with --id, --prompt, --model and --cap, which may also stand in a --template; or --job.
    With --feed, --id and --prompt can be left out.

    With both, FILE is uploaded to be the file of the manifest in --job.

    Shows first what it would cost. If more may be spent than --ask-above allows, it asks on a terminal, and
    without one submits only with --yes.

    What fails for a moment is tried again, and never makes two jobs.

    Example: imagemill submit feed.csv --template photos.toml --cap 25 --watch
    """
    asking = Asking(parse_amount(consent.ask_above, "--ask-above"), consent.yes)
    if estimate:
        if watch or consent.yes:
            raise typer.BadParameter("--estimate submits nothing; leave out --watch and --yes")
        body = body_of(file, source, options)
        run(url, lambda client: show_estimate(client, body, file, json=json))
    body = body_of(file, source, options)
    once = idempotency_key or secrets.token_hex(16)
    run(url, lambda client: _submit(client, body, file, once, asking, watch=watch, json=json))


async def _submit(
    client: Client,
    body: dict[str, Any],
    file: Path | None,
    key: str,
    asking: Asking,
    *,
    watch: bool,
    json: bool,
) -> int:
    body = await uploaded(client, body, file)
    await ask_first(client, body, asking)
    return await accepted(client, await send(client, body, key), watch=watch, json=json)


async def accepted(client: Client, told: Told[Job], *, watch: bool, json: bool) -> int:
    """Says that a job was accepted, and goes on watching it if that is wanted; returns the exit code."""
    job, console = told.model.id, out()
    if json:
        print_line(told.document)
    elif console.is_terminal:
        console.print(f"[green]Accepted:[/] {job}")
    else:
        typer.echo(job)
    if watch:
        # Standard output is the id's alone if a script reads it.
        return await attend(client, [job], json=json, aside=not console.is_terminal)
    if console.is_terminal and not json:
        console.print(f"  imagemill watch {job}")
        console.print(f"  imagemill results {job} --to FOLDER")
    return 0


async def send(client: Client, body: dict[str, Any], key: str) -> Told[Job]:
    """Submits; tries again for a few seconds."""
    return await patiently(lambda: client.submitted(body, key), say=whisper)
