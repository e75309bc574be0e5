"""`imagemill pause`: stop a job for a while."""

import typer

from cli.client import Client
from cli.running import JobId, run
from cli.service import Url


def pause(job: JobId, url: Url = None) -> None:
    """Pauses a job: nothing more is started until `imagemill resume`; what is under way is finished."""
    run(url, lambda client: _pause(client, job))


async def _pause(client: Client, job: str) -> int:
    answer = await client.pause(job)
    typer.echo(f"{answer.id} {answer.state}")
    return 0
