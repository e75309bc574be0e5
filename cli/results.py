"""`imagemill results`: a job's images into a folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.client import Client
from cli.download import AT_ONCE, Account, Download, Wanted
from cli.downloads import Downloads
from cli.errors import harmless
from cli.exits import FINE, WRONG
from cli.ids import JobId
from cli.naming import FIELDS, Pattern
from cli.places import RESULTS
from cli.running import err, run, whisper
from cli.service import Url
from cli.show import images
from cli.telling import AsJson, tell

SHOWN = 20
To = Annotated[
    Path | None,
    typer.Option(
        "--to", file_okay=False, show_default="a folder named by the job", help="The folder; made if missing."
    ),
]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="PATTERN",
        show_default="as in the bucket",
        help="Names of the files, of " + ", ".join(f"{{{name}}}" for name in FIELDS) + ".",
    ),
]


def results(
    job: JobId,
    *,
    to: To = None,
    as_: As = None,
    rendition: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A rendition instead of the image; thumbnail is always there."),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="So many at once.")] = AT_ONCE,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job has ended.")] = False,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Downloads all images of a job, checks their SHA-256, and lists the items in results.jsonl.

    May be repeated: what is there already is not fetched again. Of a job that runs, it takes what has ended
    so far, and with --follow the rest as it ends. Exits with 1 if something could not be fetched.

    Example: imagemill results JOB --to shop --as '{sku}/{variant}.{ext}' --follow
    """
    wanted = Wanted(
        pattern=None if as_ is None else Pattern(as_), rendition=rendition, at_once=parallel, follow=follow
    )
    run(url, lambda client: _results(client, job, to or Path(job), wanted, json=json))


async def _results(client: Client, job: str, folder: Path, wanted: Wanted, *, json: bool) -> int:
    status, _ = await client.status(job)
    if not status.ended:
        rest = "The rest is taken as it ends." if wanted.follow else "With --follow it goes on until the end."
        whisper(f"The job is {status.state}; this is what has ended so far. {rest}")
    total = None if wanted.follow and not status.ended else status.images
    async with Downloads() as downloads:
        with counted(err(), total) as on_image:
            account = await Download(
                client, downloads, job=job, folder=folder, say=whisper, on_image=on_image, wanted=wanted
            ).run()
    tell(summary(account, folder), [said(account, folder)], json=json)
    _complain(account, wanted)
    return WRONG if account.failed else FINE


@contextmanager
def counted(console: Console, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar over the images, on a terminal; what it gives is called after each."""
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (
        TextColumn("downloading"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("images"),
    )
    with Progress(*columns, console=console, expand=True, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)


def said(account: Account, folder: Path) -> str:
    """What was done, in a line."""
    present = f" ({account.present:,} were there already)" if account.present else ""
    others = [f"{count:,} {state}" for state, count in account.states.items() if state != "succeeded"]
    without = f"; items without images: {', '.join(others)}" if others else ""
    return f"{images(account.images)} in {folder}{present}, listed in {folder / RESULTS}{without}"


def summary(account: Account, folder: Path) -> dict[str, object]:
    """The same for programs."""
    return {
        "folder": str(folder),
        "list": str(folder / RESULTS),
        "fetched": account.fetched,
        "present": account.present,
        "failed": [{"key": key, "detail": why} for key, why in account.failed],
        "items": account.states,
    }


def _complain(account: Account, wanted: Wanted) -> None:
    for key, why in account.failed[:SHOWN]:
        whisper(harmless(f"Not fetched: {key}: {why}"))
    if len(account.failed) > SHOWN:
        whisper(f"… and {len(account.failed) - SHOWN:,} more")
    promised = wanted.pattern and wanted.pattern.ending
    others = sorted(account.formats - {promised, ""})
    if promised and others and wanted.rendition is None:
        whisper(f"Note: names end as {promised}, but images are {', '.join(others)}; {{ext}} would be right.")
