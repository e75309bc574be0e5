"""`imagemill usage`: what was spent, and what the caps leave."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.answers import JobSpend, Spend, Usage, Window
from cli.client import Client
from cli.errors import harmless
from cli.money import dollars
from cli.running import run
from cli.service import Url
from cli.status import AsJson
from cli.tables import table

MONEY = ("Settled", "Written off")


def _day(option: str, text: str) -> Any:
    return typer.Option(option, metavar="YYYY-MM-DD", formats=["%Y-%m-%d"], help=text)


def usage(
    *,
    from_: Annotated[
        datetime | None, _day("--from", "The first day; the first of the month if unset.")
    ] = None,
    to: Annotated[datetime | None, _day("--to", "The last day; today if unset.")] = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Prints what was spent by day, model and job, and what the tenant's caps leave.

    Days are those of the tenant's time zone.
    """
    days = {name: f"{day:%Y-%m-%d}" for name, day in (("from", from_), ("to", to)) if day is not None}
    run(url, lambda client: _usage(client, days, json=json))


async def _usage(client: Client, days: dict[str, str], *, json: bool) -> int:
    if json:
        typer.echo(await client.raw_usage(days))
        return 0
    for line in usage_lines(await client.usage(days)):
        typer.echo(line)
    return 0


def usage_lines(usage: Usage) -> Iterator[str]:
    """The usage for people."""
    yield harmless(f"Tenant {usage.tenant}, {usage.first} to {usage.last} ({usage.time_zone})")
    yield ""
    windows = [_window("today", usage.day), _window("this month", usage.month)]
    yield from table(("Window", "Spent", "Cap", "Left", "Ends"), windows)
    if usage.leased_usd:
        yield f"Leased to running jobs, and not yet spent: {dollars(usage.leased_usd)}"
    for name, rows in (
        ("Day", [(f"{day.date}", *_money(day)) for day in usage.days]),
        ("Model", [(model, *_money(spend)) for model, spend in usage.models.items()]),
    ):
        yield ""
        yield from table((name, *MONEY), [*rows, ("all", *_money(usage))])
    if usage.jobs:
        yield ""
        yield from _jobs(usage.jobs)


def _window(name: str, window: Window) -> tuple[str, ...]:
    return (
        name,
        dollars(window.all),
        "none" if window.limit_usd is None else dollars(window.limit_usd),
        "" if window.left_usd is None else dollars(window.left_usd),
        f"{window.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _jobs(jobs: list[JobSpend]) -> Iterator[str]:
    """What each has spent in all; a name stands below its job, since an id leaves it no room."""
    head, *lines = table(
        ("Job", "State", *MONEY), [(job.id, job.state, *_money(job)) for job in jobs], text=2
    )
    yield head
    for job, line in zip(jobs, lines, strict=True):
        yield line
        if job.name:
            yield harmless(f"  {job.name}")[:80]


def _money(spend: Spend) -> tuple[str, str]:
    return dollars(spend.settled_usd), dollars(spend.written_off_usd)
