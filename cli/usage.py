"""`imagemill usage`: what was spent, and what the caps leave."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.answers import Spend, Usage, Window
from cli.client import Client
from cli.errors import harmless
from cli.money import dollars
from cli.running import run
from cli.service import Url
from cli.tables import table
from cli.telling import AsJson, tell

MONEY = ("Settled", "Written off")


class By(StrEnum):
    """What spending is told by."""

    DAY = "day"
    MODEL = "model"
    JOB = "job"


def day_option(option: str, text: str) -> Any:
    """An option that takes a day."""
    return typer.Option(option, metavar="YYYY-MM-DD", formats=["%Y-%m-%d"], help=text)


def usage(
    *,
    from_: Annotated[
        datetime | None, day_option("--from", "The first day; the first of the month if unset.")
    ] = None,
    to: Annotated[datetime | None, day_option("--to", "The last day; today if unset.")] = None,
    by: Annotated[By | None, typer.Option(help="One of the tables alone.")] = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Prints what was spent by day, model and job, and what the tenant's caps leave.

    Days are those of the tenant's time zone.

    Example: imagemill usage --from 2026-11-01 --by model
    """
    days = {name: f"{day:%Y-%m-%d}" for name, day in (("from", from_), ("to", to)) if day is not None}
    run(url, lambda client: _usage(client, days, by, json=json))


async def _usage(client: Client, days: dict[str, str], by: By | None, *, json: bool) -> int:
    told = await client.ask(Usage, "GET", "/v1/usage", params=days)
    tell(told.document, usage_lines(told.model) if by is None else TABLES[by](told.model), json=json)
    return 0


def usage_lines(usage: Usage) -> Iterator[str]:
    """The usage for people."""
    yield harmless(f"Tenant {usage.tenant}, {usage.first} to {usage.last} ({usage.time_zone})")
    yield ""
    windows = [_window("today", usage.day), _window("this month", usage.month)]
    yield from table(("Window", "Spent", "Cap", "Left", "Ends"), windows)
    if usage.leased_usd:
        yield f"Leased to running jobs, and not yet spent: {dollars(usage.leased_usd)}"
    yield ""
    yield from _days(usage)
    yield ""
    yield from _models(usage)
    if usage.jobs:
        yield ""
        yield from _jobs(usage)


def _days(usage: Usage) -> Iterator[str]:
    rows = [(f"{day.date}", *_money(day)) for day in usage.days]
    yield from table(("Day", *MONEY), [*rows, ("all", *_money(usage))])


def _models(usage: Usage) -> Iterator[str]:
    rows = [(model, *_money(spend)) for model, spend in usage.models.items()]
    yield from table(("Model", *MONEY), [*rows, ("all", *_money(usage))])


def _window(name: str, window: Window) -> tuple[str, ...]:
    return (
        name,
        dollars(window.all),
        "none" if window.limit_usd is None else dollars(window.limit_usd),
        "" if window.left_usd is None else dollars(window.left_usd),
        f"{window.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _jobs(usage: Usage) -> Iterator[str]:
    """What each has spent in all; a name stands below its job, since an id leaves it no room."""
    rows = [(job.id, job.state, *_money(job)) for job in usage.jobs]
    head, *lines = table(("Job", "State", *MONEY), rows, text=2)
    yield head
    for job, line in zip(usage.jobs, lines, strict=True):
        yield line
        if job.name:
            yield harmless(f"  {job.name}")[:80]


def _money(spend: Spend) -> tuple[str, str]:
    return dollars(spend.settled_usd), dollars(spend.written_off_usd)


TABLES = {By.DAY: _days, By.MODEL: _models, By.JOB: _jobs}
