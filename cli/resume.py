"""`imagemill resume`: let a paused or held job go on."""

import typer

from cli.client import Client
from cli.holds import hold_words
from cli.running import JobId, run, whisper
from cli.service import Url

FOR_MONEY = ("budget", "tenant_budget")


def resume(job: JobId, url: Url = None) -> None:
    """Lets a paused or held job go on: buys on after an uncertain bill, or tries the provider now.

    A job that is held for money needs a higher cap instead: see `imagemill budget`.
    """
    run(url, lambda client: _resume(client, job))


async def _resume(client: Client, job: str) -> int:
    answer = await client.resume(job)
    if answer.hold is None or answer.hold.code not in FOR_MONEY:
        # Accepted is not yet seen: the state may still be the one from before.
        typer.echo(f"{answer.id} goes on")
        return 0
    whisper(f"{answer.id} is held for money, and resuming brings none.")
    for sentence in hold_words(answer):
        whisper(f"  {sentence}")
    return 1
