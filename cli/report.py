"""`imagemill report`: the receipt of a job that has ended."""

from collections.abc import Iterator
from typing import Annotated

import typer

from cli.answers import Drift, ItemBill, Report
from cli.client import Client
from cli.errors import harmless, one_line
from cli.ids import JobId
from cli.money import dollars
from cli.running import run
from cli.service import Url
from cli.show import estimate_words, items_by_state, uncertain_words
from cli.tables import table
from cli.telling import AsJson, pour

HEAD = ("Model", "State", "Items", "Images", "Settled", "Written off", "Uncertain")
Items = Annotated[bool, typer.Option("--items", help="Also each item, with what became of its calls.")]


def report(job: JobId, *, items: Items = False, json: AsJson = False, url: Url = None) -> None:
    """Prints the receipt of a job that has ended: what was bought, and what it cost."""
    run(url, lambda client: _json(client, job, items) if json else _report(client, job, items))


async def _json(client: Client, job: str, items: bool) -> int:
    """Piece by piece, as it is written: with its items it may be long."""
    query = {"items": "true"} if items else {}
    await pour(client.stream(f"/v1/jobs/{job}/report", query))
    typer.echo()
    return 0


async def _report(client: Client, job: str, items: bool) -> int:
    for line in receipt((await client.ask(Report, "GET", f"/v1/jobs/{job}/report")).model):
        typer.echo(line)
    if items:
        typer.echo()
        await _items(client, job)
    return 0


async def _items(client: Client, job: str) -> None:
    """Page by page, since there may be a million."""
    after, more = None, True
    while more:
        page = await client.page(job, after)
        for item in page.data:
            for line in item_lines(ItemBill.model_validate(item)):
                typer.echo(line)
        after, more = page.last, page.has_more


def receipt(report: Report) -> Iterator[str]:
    """A receipt for people."""
    yield from (f"{name:<12} {value}" for name, value in _rows(report))
    if report.lines:
        yield ""
        yield from table(HEAD, [_line(report, number) for number in range(len(report.lines))], text=2)
    if report.drift:
        yield ""
        yield from map(_drift, report.drift)


def item_lines(item: ItemBill) -> Iterator[str]:
    """One item's bill, and a line for each of its calls."""
    name = item.custom_id if item.variant is None else f"{item.custom_id} {item.variant}"
    unknown = f", {dollars(item.uncertain_usd)} of it uncertain" if item.uncertain_usd else ""
    why = f": {item.error.detail}" if item.error else ""
    yield one_line(f"{name}  {item.state}  {dollars(item.cost_usd)}{unknown}{why}")
    for attempt in item.attempts:
        more = "".join(f"  {word}" for word in (attempt.code, attempt.request_id) if word)
        yield one_line(
            f"  {attempt.outcome} {dollars(attempt.cost_usd)} of {dollars(attempt.reserved_usd)}{more}"
        )


def _rows(report: Report) -> Iterator[tuple[str, str]]:
    yield "Job", report.job
    if report.name:
        yield "Name", harmless(report.name)
    yield "State", report.state
    yield "Items", items_by_state(report)
    yield "Images", f"{report.images:,}"
    yield "Settled", f"{dollars(report.settled_usd)} of a cap of {dollars(report.limit_usd)}"
    yield "Written off", dollars(report.written_off_usd) + _vanished(report)
    if report.uncertain:
        yield "Uncertain", uncertain_words(report)
    if report.estimate:
        yield "Estimate", estimate_words(report.estimate)
    if report.ended_at:
        yield "Ended", f"{report.ended_at:%Y-%m-%d %H:%M:%S} UTC"
    if report.price_table:
        yield "Price table", harmless(report.price_table)


def _vanished(report: Report) -> str:
    if not report.vanished_usd:
        return ""
    return f", {dollars(report.vanished_usd)} of it for items that show nothing: a chunk was ended by hand"


def _line(report: Report, number: int) -> tuple[str, ...]:
    line = report.lines[number]
    return (
        line.model,
        line.state,
        f"{line.items:,}",
        f"{line.images:,}",
        dollars(line.settled_usd),
        dollars(line.written_off_usd),
        f"{line.uncertain:,}",
    )


def _drift(drift: Drift) -> str:
    calls = f"{drift.calls:,} call{'' if drift.calls == 1 else 's'}"
    return harmless(
        f"Drift: {calls} of {drift.model} cost {dollars(drift.above_usd)} more than was reserved; its "
        f"maximum was multiplied by {drift.factor} in the end."
    )
