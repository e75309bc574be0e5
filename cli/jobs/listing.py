"""`imagemill jobs list`."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.money import dollars
from cli.running import run, whisper
from cli.service import Url
from cli.submission import notes
from cli.telling import All, AsLines, Most, tell_list

STATES = (
    "queued", "validating", "running", "held", "pausing", "paused", "cancelling",
    "completed", "completed_with_errors", "cancelled", "failed",
)  # fmt: skip
WHEN = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ"]
HEAD = ("Job", "State", "Items", "Spent", "Name")


def _state(text: str | None) -> str | None:
    if text is not None and text not in STATES:
        raise typer.BadParameter(f"{text!r} is no state of a job; there are {', '.join(STATES)}")
    return text


def _moment(option: str, text: str) -> Any:
    return typer.Option(option, metavar="DAY[THH:MM:SS]", formats=WHEN, help=text)


def list_jobs(
    *,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="STATE",
            help="Only jobs in this state.",
            callback=_state,
            autocompletion=lambda: list(STATES),
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="How the name begins.")] = None,
    since: Annotated[datetime | None, _moment("--since", "Submitted then or later, in UTC.")] = None,
    before: Annotated[datetime | None, _moment("--before", "Submitted before then, in UTC.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only jobs with this note; repeatable.")
    ] = None,
    limit: Most = 50,
    all_: All = False,
    json: AsLines = False,
    url: Url = None,
) -> None:
    """Lists jobs, the newest first.

    Example: imagemill jobs list --state held --since 2026-11-01
    """
    query = {f"metadata.{key}": value for key, value in notes(metadata or ()).items()}
    wanted = {"state": state, "name": name, "submitted_after": _utc(since), "submitted_before": _utc(before)}
    query |= {key: value for key, value in wanted.items() if value}
    run(url, lambda client: _list(client, query, None if all_ else limit, json=json))


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.replace(tzinfo=UTC).isoformat()


async def _list(client: Client, query: dict[str, str], most: int | None, *, json: bool) -> int:
    entries = client.listed("/v1/jobs", query, most, whisper)
    await tell_list(entries, HEAD, _row, json=json, text=2, cut=4, none="There are no such jobs.")
    return 0


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    total = entry["items"]["total"] if entry["items"] else entry["total"]
    spent = [Decimal(entry[name]) for name in ("settled_usd", "written_off_usd") if entry[name] is not None]
    return (
        entry["id"],
        entry["state"],
        "-" if total is None else f"{total:,}",
        dollars(sum(spent, Decimal())) if spent else "-",
        entry["name"] or "",
    )
