"""`imagemill share`: a page of a job's images for somebody without a key."""

import re
from typing import Annotated

import typer
from pydantic import BaseModel

from cli.client import Client
from cli.ids import JobId
from cli.running import run
from cli.service import Url
from cli.telling import AsJson, facts, tell

SECONDS = {"h": 3600, "d": 86_400}


class Share(BaseModel):
    """Addresses that open without a key until they expire."""

    gallery_url: str
    contact_sheet_url: str | None
    expires_at: str


def _span(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,3}[hd]", text):
        raise typer.BadParameter(f"{text!r} is no time; one looks like 12h or 7d")
    return text


def share(
    job: JobId,
    *,
    expires: Annotated[
        str, typer.Option(metavar="SPAN", help="For how long: 12h, 7d.", callback=_span)
    ] = "7d",
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Makes a gallery page and a contact sheet of a job that has ended, which open without a key.

    Example: imagemill share JOB --expires 3d
    """
    seconds = int(expires[:-1]) * SECONDS[expires[-1]]
    run(url, lambda client: _share(client, job, seconds, json=json))


async def _share(client: Client, job: str, seconds: int, *, json: bool) -> int:
    told = await client.ask(Share, "POST", f"/v1/jobs/{job}/share", json={"expires_seconds": seconds})
    found = told.model
    rows = [
        ("Gallery", found.gallery_url),
        ("Contact sheet", found.contact_sheet_url),
        ("Until", found.expires_at),
    ]
    tell(told.document, facts(rows), json=json)
    return 0
