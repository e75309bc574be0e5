"""`imagemill resume`: let a paused or held job go on."""

from cli.answers import Job
from cli.client import Client
from cli.exits import FINE, HELD
from cli.holds import hold_words
from cli.ids import JobId
from cli.running import run, whisper
from cli.service import Url
from cli.telling import AsJson, tell

FOR_MONEY = ("budget", "tenant_budget")


def resume(job: JobId, *, json: AsJson = False, url: Url = None) -> None:
    """Lets a paused or held job go on: buys on after an uncertain bill, or tries the provider now.

    A job that is held for money needs a higher cap instead: see `imagemill budget`. Then it exits with 4.
    """
    run(url, lambda client: _resume(client, job, json=json))


async def _resume(client: Client, job: str, *, json: bool) -> int:
    told = await client.ask(Job, "POST", f"/v1/jobs/{job}/resume")
    answer = told.model
    stays = answer.hold is not None and answer.hold.code in FOR_MONEY
    # Accepted is not yet seen: the state may still be the one from before.
    tell(told.document, [] if stays else [f"{answer.id} goes on"], json=json)
    if not stays:
        return FINE
    whisper(f"{answer.id} is held for money, and resuming brings none.")
    for sentence in hold_words(answer):
        whisper(f"  {sentence}")
    return HELD
