"""`imagemill status`: where a job is now."""

from cli.client import Client
from cli.ids import JobId
from cli.running import run
from cli.service import Url
from cli.show import status_lines
from cli.telling import AsJson, tell


def status(job: JobId, *, json: AsJson = False, url: Url = None) -> None:
    """Prints where a job is now."""
    run(url, lambda client: _status(client, job, json=json))


async def _status(client: Client, job: str, *, json: bool) -> int:
    told, _ = await client.state(job)
    tell(told.document, status_lines(told.model), json=json)
    return 0
