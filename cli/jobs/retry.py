"""`imagemill retry`: the failed items of a job once more, as a new job."""

import secrets
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.ids import JobId
from cli.patience import patiently
from cli.running import run, whisper
from cli.service import Url
from cli.submit import JobAsJson, Once, Watch, accepted
from cli.submit_options import CAP_OPTIONS, OnExhausted, OnUnknown


class Again(StrEnum):
    """Items that can be tried again."""

    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


def retry(
    job: JobId,
    *,
    limit_usd: Annotated[str, typer.Option(*CAP_OPTIONS, metavar="USD", help="The cap of the new job.")],
    states: Annotated[
        list[Again] | None,
        typer.Option("--state", help="Items in this state; repeatable. The failed, if unset."),
    ] = None,
    items: Annotated[
        list[str] | None, typer.Option("--item", metavar="CUSTOM_ID", help="This item; repeatable.")
    ] = None,
    on_exhausted: Annotated[OnExhausted | None, typer.Option(help="When the cap is used up.")] = None,
    on_unknown: Annotated[
        OnUnknown | None, typer.Option(help="After a call whose bill can't be known.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    priority: Annotated[int | None, typer.Option(min=1, max=5, help="1 goes first.")] = None,
    idempotency_key: Once = None,
    watch: Watch = False,
    json: JobAsJson = False,
    url: Url = None,
) -> None:
    """Tries items of a job that has ended once more, as a new job, and prints its id.

    Example: imagemill retry JOB --cap 2.50 --state failed --state skipped --watch
    """
    budget = {"limit_usd": limit_usd} | ({"on_exhausted": on_exhausted.value} if on_exhausted else {})
    more: dict[str, Any] = {
        "states": [state.value for state in states] if states else None,
        "items": items or None,
        "on_unknown": on_unknown and on_unknown.value,
        "name": name,
        "priority": priority,
    }
    body = {"budget": budget} | {key: value for key, value in more.items() if value is not None}
    once = idempotency_key or secrets.token_hex(16)
    run(url, lambda client: _retry(client, job, body, once, watch=watch, json=json))


async def _retry(client: Client, job: str, body: dict[str, Any], key: str, *, watch: bool, json: bool) -> int:
    told = await patiently(lambda: client.submitted(body, key, f"/v1/jobs/{job}/retry"), say=whisper)
    return await accepted(client, told, watch=watch, json=json)
