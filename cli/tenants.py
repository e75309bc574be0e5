"""`imagemill tenants`: what all tenants spend, for operators."""

from datetime import datetime
from typing import Annotated, Any

from cli.answers import Spend, Window
from cli.client import Client
from cli.money import dollars
from cli.running import run_as_operator, whisper
from cli.service import OperatorUrl
from cli.telling import All, AsLines, Most, tell_list
from cli.usage import day_option

HEAD = ("Tenant", "Settled", "Written off", "Today", "This month", "Its cap")


def tenants(
    *,
    from_: Annotated[
        datetime | None, day_option("--from", "The first day; the first of the month if unset.")
    ] = None,
    to: Annotated[datetime | None, day_option("--to", "The last day; today if unset.")] = None,
    limit: Most = 100,
    all_: All = False,
    json: AsLines = False,
    url: OperatorUrl = None,
) -> None:
    """Lists all tenants with what they have spent, and how that stands to their caps.

    Takes the operator's key. One tenant's caps: `imagemill caps --tenant NAME`.
    """
    days = {name: f"{day:%Y-%m-%d}" for name, day in (("from", from_), ("to", to)) if day is not None}
    run_as_operator(url, lambda client: _tenants(client, days, None if all_ else limit, json=json))


async def _tenants(client: Client, days: dict[str, str], most: int | None, *, json: bool) -> int:
    entries = client.listed("/v1/tenants", days, most, whisper)
    await tell_list(entries, HEAD, _row, json=json, text=1, none="There are no tenants.")
    return 0


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    day, month = (Window.model_validate(entry[name]) for name in ("day", "month"))
    cap = "none" if month.limit_usd is None else dollars(month.limit_usd)
    spent = Spend.model_validate(entry)
    return (
        entry["tenant"],
        dollars(spent.settled_usd),
        dollars(spent.written_off_usd),
        dollars(day.all),
        dollars(month.all),
        cap,
    )
