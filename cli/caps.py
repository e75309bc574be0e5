"""`imagemill caps`: a tenant's caps by day and by month, for operators."""

import re
from typing import Annotated

import typer

from cli.answers import Caps
from cli.client import Client
from cli.errors import harmless
from cli.money import dollars
from cli.running import run_as_operator
from cli.service import OperatorUrl
from cli.telling import AsJson, tell

NONE = "none"


def tenant_name(name: str) -> str:
    """A tenant's name, as the value of an option.

    Raises:
        BadParameter: it is none.
    """
    if not re.fullmatch(r"[a-z0-9-]{1,64}", name):
        raise typer.BadParameter(f"{name!r} is no tenant; a name has small letters, digits and -")
    return name


def caps(
    *,
    tenant: Annotated[str, typer.Option(help="Whose caps.", callback=tenant_name)] = "default",
    day_usd: Annotated[
        str | None, typer.Option(metavar="USD", help="What may be spent in a day; none removes the cap.")
    ] = None,
    month_usd: Annotated[
        str | None, typer.Option(metavar="USD", help="What may be spent in a month; none removes the cap.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Whose midnight ends a day: Europe/Berlin, or +05:30.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the caps of all tenants.")] = False,
    json: AsJson = False,
    url: OperatorUrl = None,
) -> None:
    """Shows what all jobs of a tenant may spend by day and month, or sets it.

    What is not given stays as it is. Takes the operator's key.

    Example: imagemill caps --tenant shop-1 --day-usd 100 --month-usd none
    """
    wanted = {"day_usd": day_usd, "month_usd": month_usd, "time_zone": time_zone}
    change = {name: value for name, value in wanted.items() if value is not None}
    if reset and change:
        raise typer.BadParameter("--reset takes all of them back; leave the other caps out")
    run_as_operator(url, lambda client: _caps(client, tenant, change, reset=reset, json=json))


async def _caps(client: Client, tenant: str, change: dict[str, str], *, reset: bool, json: bool) -> int:
    path = f"/v1/tenants/{tenant}/caps"
    told = await client.ask(Caps, "DELETE" if reset else "GET", path)
    if change:
        told = await client.ask(Caps, "PUT", path, json=changed(told.model, change))
    tell(told.document, (f"{name:<9} {value}" for name, value in _rows(told.model)), json=json)
    return 0


def changed(caps: Caps, change: dict[str, str]) -> dict[str, str]:
    """All caps as they are to be: the service removes what is left out."""
    now = {"day_usd": caps.day_usd, "month_usd": caps.month_usd, "time_zone": caps.time_zone}
    known = {name: str(value) for name, value in now.items() if value is not None}
    return {name: value for name, value in (known | change).items() if value != NONE}


def _rows(caps: Caps) -> list[tuple[str, str]]:
    amounts = [
        (name, NONE if cap is None else dollars(cap))
        for name, cap in (("Day", caps.day_usd), ("Month", caps.month_usd))
    ]
    return [("Tenant", caps.tenant), *amounts, ("Time zone", harmless(caps.time_zone))]
