"""`imagemill cancel`: stop a job."""

import typer

from cli.client import Client
from cli.running import JobId, run
from cli.service import Url


def cancel(job: JobId, url: Url = None) -> None:
    """Cancels a job: nothing more is started, what is under way is finished, and its images are kept."""
    run(url, lambda client: _cancel(client, job))


async def _cancel(client: Client, job: str) -> int:
    answer = await client.cancel(job)
    # Accepted is not yet seen: the state may still be the one from before.
    typer.echo(f"{answer.id} {'cancelled' if answer.state == 'cancelled' else 'cancelling'}")
    return 0
