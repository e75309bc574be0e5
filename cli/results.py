"""`imagemill results`: a job's images into a folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.client import Client, Downloads
from cli.download import Account, Download
from cli.errors import harmless
from cli.places import RESULTS
from cli.running import JobId, err, run, whisper
from cli.service import Url
from cli.show import images

SHOWN = 20
To = Annotated[
    Path | None,
    typer.Option(
        "--to", file_okay=False, show_default="a folder named by the job", help="The folder; made if missing."
    ),
]


def results(job: JobId, *, to: To = None, url: Url = None) -> None:
    """Downloads all images of a job, checks their SHA-256, and lists the items in results.jsonl.

    May be repeated: what is there already is not fetched again. Of a job that runs, it takes what has ended
    so far. Exits with 1 if something could not be fetched.
    """
    run(url, lambda client: _results(client, job, to or Path(job)))


async def _results(client: Client, job: str, folder: Path) -> int:
    status, _ = await client.status(job)
    if not status.ended:
        whisper(f"The job is {status.state}; this is what has ended so far.")
    async with Downloads() as downloads:
        with counted(err(), status.images) as on_image:
            account = await Download(
                client, downloads, job=job, folder=folder, say=whisper, on_image=on_image
            ).run()
    typer.echo(said(account, folder))
    _complain(account)
    return 1 if account.failed else 0


@contextmanager
def counted(console: Console, total: int) -> Iterator[Callable[[], None]]:
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


def _complain(account: Account) -> None:
    for key, why in account.failed[:SHOWN]:
        whisper(harmless(f"Not fetched: {key}: {why}"))
    if len(account.failed) > SHOWN:
        whisper(f"… and {len(account.failed) - SHOWN:,} more")
