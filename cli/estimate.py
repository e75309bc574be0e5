"""`imagemill estimate`: what a job would cost, and which rows are bad."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.asking import estimate_lines, stop_if_it_fails
from cli.client import Client
from cli.fetch import scratch_for
from cli.job_source import Manifest, Source, body_of, uploaded
from cli.option_groups import grouped
from cli.patience import patiently
from cli.running import run, whisper
from cli.service import Url
from cli.submit_options import Options
from cli.telling import AsJson, tell

# Where no cap is given, none is asked about; the service wants one, and this one is enough for any job.
NO_CAP = "1000000.00"
BadRows = Annotated[
    Path | None,
    typer.Option("--bad-rows", metavar="FILE", dir_okay=False, help="Write all bad rows there, as JSONL."),
]


@grouped
def estimate(
    file: Manifest = None,
    *,
    source: Source,
    options: Options,
    bad_rows: BadRows = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Shows what a job would cost and which of its rows are bad, and submits nothing.

    Takes what `imagemill submit` takes; a cap is not needed. Exits with 2 if the job would fail.

    Example: imagemill estimate feed.csv --template photos.toml --bad-rows bad.jsonl
    """
    body = body_of(file, source, options, capped=False)
    run(url, lambda client: show_estimate(client, body, file, bad_rows=bad_rows, json=json))


async def show_estimate(
    client: Client, body: dict[str, Any], file: Path | None, *, bad_rows: Path | None = None, json: bool
) -> int:
    """Shows what a submission would cost; returns the exit code."""
    whole = await uploaded(client, body, file)
    capped = "limit_usd" in (whole.get("budget") or {})
    if not capped:
        whole = whole | {"budget": (whole.get("budget") or {}) | {"limit_usd": NO_CAP}}
    told = await patiently(lambda: client.validated(whole), say=whisper)
    tell(told.document, estimate_lines(told.model, capped=capped), json=json)
    if bad_rows is not None:
        await _write(client, told.document, bad_rows)
    stop_if_it_fails(told.model)
    return 0


async def _write(client: Client, validation: dict[str, Any], place: Path) -> None:
    rows = validation.get("invalid_rows")
    with scratch_for(place) as file:
        if rows:
            async for piece in client.stream(f"/v1/validations/{validation['id']}/errors"):
                file.write(piece)
    whisper(f"{rows['count'] if rows else 0:,} bad rows are in {place}.")
