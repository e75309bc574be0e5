"""`imagemill budget`: another cap for a job."""

from typing import Annotated

import typer

from cli.answers import Job
from cli.client import Client
from cli.ids import JobId
from cli.money import dollars
from cli.running import run
from cli.service import Url
from cli.submit_options import CAP_OPTIONS, OnExhausted
from cli.telling import AsJson, tell

AFTER = {
    "hold": "When it is used up, the job is held.",
    "skip": "When it is used up, the items that are left are skipped.",
}


def budget(
    job: JobId,
    *,
    limit_usd: Annotated[
        str | None,
        typer.Option(*CAP_OPTIONS, metavar="USD", help="The new cap in all, not what is added to it."),
    ] = None,
    on_exhausted: Annotated[
        OnExhausted | None, typer.Option(help="When the cap is used up: hold the job, or skip what is left.")
    ] = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Raises or lowers the cap of a job that has not ended, or says what happens when it is used up.

    A job that is held for money goes on by itself once its cap is enough for one more item.
    """
    wanted = {"limit_usd": limit_usd, "on_exhausted": on_exhausted and on_exhausted.value}
    change = {name: value for name, value in wanted.items() if value is not None}
    if not change:
        raise typer.BadParameter("give --limit-usd, --on-exhausted, or both")
    run(url, lambda client: _budget(client, job, change, json=json))


async def _budget(client: Client, job: str, change: dict[str, str], *, json: bool) -> int:
    told = await client.ask(Job, "PATCH", f"/v1/jobs/{job}", json={"budget": change})
    after = [AFTER[change["on_exhausted"]]] if "on_exhausted" in change else []
    tell(told.document, [_said(told.model), *after], json=json)
    return 0


def _said(job: Job) -> str:
    cost = job.cost
    said = f"{job.id} may spend {dollars(cost.limit_usd)} in all; {dollars(cost.spent)} is spent"
    if cost.committed_usd > cost.limit_usd:
        return (
            f"{said}, and calls under way can make it {dollars(cost.committed_usd)}. It starts nothing more."
        )
    return f"{said}."
