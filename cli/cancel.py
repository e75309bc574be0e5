"""`imagemill cancel`: stop a job."""

from cli.answers import Job
from cli.client import Client
from cli.ids import JobId
from cli.running import run
from cli.service import Url
from cli.telling import AsJson, tell


def cancel(job: JobId, *, json: AsJson = False, url: Url = None) -> None:
    """Cancels a job: nothing more is started, what is under way is finished, and its images are kept."""
    run(url, lambda client: _cancel(client, job, json=json))


async def _cancel(client: Client, job: str, *, json: bool) -> int:
    told = await client.ask(Job, "POST", f"/v1/jobs/{job}/cancel")
    # Accepted is not yet seen: the state may still be the one from before.
    state = "cancelled" if told.model.state == "cancelled" else "cancelling"
    tell(told.document, [f"{told.model.id} {state}"], json=json)
    return 0
