"""`imagemill jobs export` and `events`: long answers, as the service writes them."""

import json as json_text
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli import patience
from cli.answers import Job
from cli.client import Client
from cli.errors import CliError, ServiceAway
from cli.fetch import scratch_for
from cli.ids import JobId
from cli.patience import LONGEST_WAIT, STUBBORN
from cli.reading import Told
from cli.running import run, whisper
from cli.service import Url
from cli.show import progress_line
from cli.telling import pour, print_line


class Table(StrEnum):
    """How finished items are written."""

    JSONL = "jsonl"
    CSV = "csv"


TYPES = {Table.JSONL: "application/jsonl", Table.CSV: "text/csv"}


def export(
    job: JobId,
    *,
    format_: Annotated[Table, typer.Option("--format", help="How the items are written.")] = Table.JSONL,
    to: Annotated[
        Path | None, typer.Option("--to", dir_okay=False, help="A file, written whole or not at all.")
    ] = None,
    url: Url = None,
) -> None:
    """Writes all items that have ended, with the addresses of their images, as JSONL or CSV.

    The images themselves are fetched by `imagemill results`.

    Example: imagemill jobs export JOB --format csv --to items.csv
    """
    run(url, lambda client: _export(client, job, format_, to))


async def _export(client: Client, job: str, form: Table, to: Path | None) -> int:
    pieces = client.stream(f"/v1/jobs/{job}/results", headers={"Accept": TYPES[form]})
    if to is None:
        await pour(pieces)
        return 0
    try:
        with scratch_for(to) as file:
            async for piece in pieces:
                file.write(piece)
    except OSError as error:
        raise CliError(f"{to} can't be written: {error.strerror}") from None
    whisper(f"All items that have ended are in {to}.")
    return 0


def events(
    job: JobId,
    *,
    json: Annotated[
        bool, typer.Option("--json", help="The whole status as a line of JSON for each.")
    ] = False,
    url: Url = None,
) -> None:
    """Follows the changes of a job as the service tells them, until the job ends.

    Example: imagemill jobs events JOB --json | jq .state
    """
    run(url, lambda client: _events(client, job, json=json))


async def _events(client: Client, job: str, *, json: bool) -> int:
    """Comes back after a break with the last event that it saw, so that none is told twice."""
    last, ended, seen = "", False, False
    waits = iter(STUBBORN)
    while not ended:
        try:
            async for kind, identity, data in _read(client, job, last):
                last, ended, seen = identity or last, kind == "end", True
                waits = iter(STUBBORN)
                _tell(client, data, json=json)
        except ServiceAway as error:
            wait = next(waits, None)
            if wait is None or not seen:
                raise
            whisper("The stream broke off. Coming back.")
            await patience.sleep(max(wait, min(error.wait or 0.0, LONGEST_WAIT)))
        else:
            if not ended and not last:
                return 0
            if not ended:
                ended = (await client.state(job))[0].model.ended
    return 0


def _tell(client: Client, data: str, *, json: bool) -> None:
    document = json_text.loads(data)
    if json:
        print_line(document)
        return
    typer.echo(progress_line(Told(document, Job.model_validate(document)).model))


async def _read(client: Client, job: str, last: str) -> AsyncIterator[tuple[str, str, str]]:
    """The events of one connection: kind, id, data."""
    headers = {"last-event-id": last} if last else {}
    kind, identity, data, rest = "", "", "", b""
    async for piece in client.stream(f"/v1/jobs/{job}/events", headers=headers):
        *lines, rest = (rest + piece).split(b"\n")
        for raw in lines:
            line = raw.decode("utf-8", "replace").rstrip("\r")
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                kind = value
            elif field == "id":
                identity = value
            elif field == "data":
                data += value
            elif not line and data:
                yield kind, identity, data
                kind, data = "", ""
