"""`imagemill status`: where a job is now."""

from typing import Annotated

import typer

from cli.client import Client
from cli.running import JobId, run
from cli.service import Url
from cli.watch import print_status

AsJson = Annotated[bool, typer.Option("--json", help="Print the service's own answer.")]


def status(job: JobId, *, json: AsJson = False, url: Url = None) -> None:
    """Prints where a job is now."""
    run(url, lambda client: _status(client, job, json=json))


async def _status(client: Client, job: str, *, json: bool) -> int:
    if json:
        typer.echo(await client.raw_status(job))
    else:
        print_status((await client.status(job))[0])
    return 0
