"""`imagemill jobs priority` and `webhook`: what can be changed while a job runs."""

from typing import Annotated, Any

import typer

from cli.answers import Job
from cli.client import Client
from cli.ids import JobId
from cli.running import run
from cli.service import Url
from cli.telling import AsJson, tell


def priority(
    job: JobId,
    priority: Annotated[int, typer.Argument(min=1, max=5, help="1 goes first, 5 last.")],
    *,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Changes what goes before what: the priority of a job that has not ended.

    Example: imagemill jobs priority JOB 1
    """
    said = f"now has priority {priority}"
    run(url, lambda client: _change(client, job, {"priority": priority}, said, json=json))


def webhook(
    job: JobId,
    receiver: Annotated[str | None, typer.Argument(metavar="[URL]", help="Who is told.")] = None,
    *,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Only of this, such as job.held; repeatable. Ends and holds, if unset."),
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Tell nobody any more.")] = False,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Changes who is told of a job by webhook, also of what is still to be delivered.

    Example: imagemill jobs webhook JOB https://shop.example.com/hooks --event job.completed
    """
    if (receiver is None) != nobody or (nobody and event):
        raise typer.BadParameter("give the URL of a receiver, or --nobody")
    body = None if receiver is None else {"url": receiver} | ({"events": event} if event else {})
    said = "tells nobody any more" if nobody else f"tells {receiver}"
    run(url, lambda client: _change(client, job, {"webhook": body}, said, json=json))


async def _change(client: Client, job: str, body: dict[str, Any], said: str, *, json: bool) -> int:
    told = await client.ask(Job, "PATCH", f"/v1/jobs/{job}", json=body)
    tell(told.document, [f"{told.model.id} {said}"], json=json)
    return 0
