"""`imagemill system`: how the service is."""

from collections.abc import Iterator
from typing import Any

from cli.client import Client
from cli.errors import harmless
from cli.running import run
from cli.service import Url
from cli.tables import table
from cli.telling import AsJson, tell


def system(*, json: AsJson = False, url: Url = None) -> None:
    """Shows what the service stands on, who works, what waits, and how fast each pool goes."""
    run(url, lambda client: _system(client, json=json))


async def _system(client: Client, *, json: bool) -> int:
    found = await client.call("GET", "/v1/system")
    tell(found, [] if json else _lines(found), json=json)
    return 0


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield from table(("Part", "State"), [(part["name"], part["state"]) for part in found["parts"]], text=2)
    yield ""
    groups = [
        (
            f"{pool['name']}/{group['name']}",
            group["state"],
            _number(group["images_per_minute"]),
            _number(group["backlog"]),
        )
        for pool in found["pools"]
        for group in pool["groups"]
    ]
    yield from table(("Pool", "State", "Images/min", "Waiting"), groups, text=2)
    for name, head in (
        ("workers", ("Worker", "Alive", "Seen (UTC)")),
        ("queues", ("Queue", "Kind", "Waiting", "Workers")),
    ):
        if found[name]:
            yield ""
            yield from table(head, [_row(name, entry) for entry in found[name]], text=2)
    yield from map(harmless, found["warnings"])


def _row(kind: str, entry: dict[str, Any]) -> tuple[str, ...]:
    if kind == "workers":
        return entry["name"], "yes" if entry["alive"] else "no", entry["seen_at"][:19].replace("T", " ")
    return entry["name"], entry["kind"], f"{entry['backlog']:,}", f"{entry['pollers']:,}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
