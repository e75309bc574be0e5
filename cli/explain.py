"""`imagemill explain`: what a type of problem means, and what to do about it."""

from typing import Annotated

import typer

from cli.client import Client
from cli.errors import harmless
from cli.ids import checked
from cli.running import run
from cli.service import Url
from cli.telling import AsJson, tell


def explain(
    problem: Annotated[
        str,
        typer.Argument(
            metavar="PROBLEM",
            help="The end of a problem's type.",
            callback=checked("a problem", "estimate-too-slow"),
        ),
    ],
    *,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Says what a type of problem means, and what to do about it.

    Example: imagemill explain estimate-too-slow
    """
    run(url, lambda client: _explain(client, problem, json=json))


async def _explain(client: Client, problem: str, *, json: bool) -> int:
    found = await client.call("GET", f"/problems/{problem}")
    lines = [found["title"], "", found["about"], "", found["remedy"]]
    tell(found, [] if json else map(harmless, lines), json=json)
    return 0
