"""`imagemill doctor`: is all well, and how to mend what is not."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cli.client import Client
from cli.doctor.check import Check, Found, bad
from cli.doctor.here import look_here
from cli.doctor.host import is_host, look_at_host
from cli.doctor.service import look_at_service
from cli.errors import CliError
from cli.exits import FINE, WRONG
from cli.running import outcome
from cli.service import Service, Url, find_service
from cli.telling import AsJson, print_json

Only = Annotated[bool, typer.Option("--quiet", "-q", help="Show only what is not well.")]


def doctor(*, quiet: Only = False, json: AsJson = False, url: Url = None) -> None:
    """Looks at everything that jobs need, and says how to mend what is not well.

    Service, key, clock, engine, buckets, workers, pools; Python, disk and local stack of this machine. On a
    host of the service, with its settings in the environment, also the engine, buckets and provider accounts
    that they name.

    Exits with 0 if all is well, and with 1 if something is bad (✗). What is marked ! fails nothing yet.
    """
    raise typer.Exit(outcome(lambda: asyncio.run(_doctor(url, quiet=quiet, json=json))))


async def _doctor(url: str | None, *, quiet: bool, json: bool) -> int:
    found: list[Check] = []

    def take(check: Check) -> None:
        found.append(check)
        if not json and not (quiet and check.found in (Found.FINE, Found.UNKNOWN)):
            for line in check.lines():
                typer.echo(line)

    for check in look_here(Path.cwd()):
        take(check)
    if is_host(os.environ):
        for check in await asyncio.to_thread(lambda: list(look_at_host())):
            take(check)
    await _service(url, take)
    worst = [check for check in found if check.found is Found.BAD]
    if json:
        print_json({"well": not worst, "checks": [check.document for check in found]})
    elif not quiet:
        typer.echo(f"\n{_verdict(len(worst))}")
    return WRONG if worst else FINE


async def _service(url: str | None, take: Callable[[Check], None]) -> None:
    try:
        service: Service = find_service(url)
    except CliError as error:
        name, _, mend = str(error).partition(". ")
        take(bad("service", name, mend or "see --url and IMAGEMILL_API_KEY"))
        return
    async with Client(service) as client:
        async for check in look_at_service(client):
            take(check)


def _verdict(count: int) -> str:
    if not count:
        return "All is well."
    if count == 1:
        return "One thing is not well; → says how to mend it."
    return f"{count} things are not well; → says how to mend them."
