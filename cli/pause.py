"""`imagemill pause`: stop a job for a while."""

from cli.answers import Job
from cli.client import Client
from cli.ids import JobId
from cli.running import run
from cli.service import Url
from cli.telling import AsJson, tell


def pause(job: JobId, *, json: AsJson = False, url: Url = None) -> None:
    """Pauses a job: nothing more is started until `imagemill resume`; what is under way is finished."""
    run(url, lambda client: _pause(client, job, json=json))


async def _pause(client: Client, job: str, *, json: bool) -> int:
    told = await client.ask(Job, "POST", f"/v1/jobs/{job}/pause")
    tell(told.document, [f"{told.model.id} {told.model.state}"], json=json)
    return 0
