"""`imagemill webhooks`: what receivers were told, and the secret that it is signed with."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.errors import harmless
from cli.ids import EventId, checked
from cli.running import run, whisper
from cli.service import Url
from cli.telling import All, AsJson, AsLines, Most, facts, tell, tell_list

webhooks = typer.Typer(no_args_is_help=True, help="Events and what became of them; the signing secret.")


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DISABLED = "disabled"


@webhooks.command()
def deliveries(
    *,
    job: Annotated[
        str | None,
        typer.Option(
            metavar="JOB",
            help="Only events of this job.",
            callback=checked("a job", "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"),
        ),
    ] = None,
    state: Annotated[DeliveryState | None, typer.Option(help="Only those that stand there.")] = None,
    limit: Most = 100,
    all_: All = False,
    json: AsLines = False,
    url: Url = None,
) -> None:
    """Lists events and what became of them.

    Example: imagemill webhooks deliveries --state failed
    """
    query = {name: str(value) for name, value in (("job", job), ("state", state)) if value is not None}
    run(url, lambda client: _deliveries(client, query, None if all_ else limit, json=json))


async def _deliveries(client: Client, query: dict[str, str], most: int | None, *, json: bool) -> int:
    entries = client.listed("/v1/webhooks/deliveries", query, most, whisper)
    head = ("Event", "Type", "State", "Tries", "Last answer")
    await tell_list(entries, head, _row, json=json, text=3, none="There are no deliveries.")
    return 0


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    attempts = entry["attempts"]
    return entry["id"], entry["type"], entry["state"], f"{len(attempts):,}", _result(attempts)


def _result(attempts: list[dict[str, Any]]) -> str:
    if not attempts:
        return "-"
    return str(attempts[-1].get("status") or attempts[-1].get("problem") or "-")


@webhooks.command()
def show(event: EventId, *, json: AsJson = False, url: Url = None) -> None:
    """Shows one event, each attempt to deliver it, and with --json its body."""
    run(url, lambda client: _show(client, event, json=json))


async def _show(client: Client, event: str, *, json: bool) -> int:
    found = await client.call("GET", f"/v1/webhooks/deliveries/{event}")
    tell(found, [] if json else _lines(found), json=json)
    return 0


def _lines(found: dict[str, Any]) -> list[str]:
    rows = [
        ("Event", found["id"]),
        ("Type", found["type"]),
        ("Job", found["job"]),
        ("Receiver", found["host"]),
        ("State", found["state"]),
        ("Next try", found["next_attempt_at"]),
    ]
    tries = [
        harmless(f"  {each['at']}  {_result([each])}  after {each['seconds']:.1f} s")
        for each in found["attempts"]
    ]
    return [*facts(rows), *tries]


@webhooks.command()
def redeliver(event: EventId, *, json: AsJson = False, url: Url = None) -> None:
    """Sends an event again, or at once if it waits for its next attempt. It keeps its id."""
    run(url, lambda client: _redeliver(client, event, json=json))


async def _redeliver(client: Client, event: str, *, json: bool) -> int:
    found = await client.call("POST", f"/v1/webhooks/deliveries/{event}/redeliver")
    tell(found, [f"{event} is sent again"], json=json)
    return 0


@webhooks.command()
def disabled(*, limit: Most = 100, all_: All = False, json: AsLines = False, url: Url = None) -> None:
    """Lists receivers that are sent nothing any more, since they answered 410.

    An event of theirs that is redelivered and taken enables one again.
    """
    run(url, lambda client: _disabled(client, None if all_ else limit, json=json))


async def _disabled(client: Client, most: int | None, *, json: bool) -> int:
    entries = client.listed("/v1/webhooks/targets/disabled", {}, most, whisper)

    def row(entry: dict[str, Any]) -> tuple[str, ...]:
        return entry["host"], entry["at"][:16].replace("T", " "), entry["event"]

    head = ("Receiver", "Since", "Its event")
    await tell_list(entries, head, row, json=json, text=3, none="No receiver is disabled.")
    return 0


@webhooks.command()
def secret(*, json: AsJson = False, url: Url = None) -> None:
    """Prints the secret that events are signed with, and nothing else."""
    run(url, lambda client: _secret(client, json=json))


async def _secret(client: Client, *, json: bool) -> int:
    found = await client.call("GET", "/v1/webhooks/secret")
    tell(found, [] if json else [harmless(found["secret"])], json=json)
    return 0


@webhooks.command()
def rotate(
    *,
    keep_old_hours: Annotated[
        float,
        typer.Option(min=0, help="Events carry a signature by the old one too, for so long; 0 stops it."),
    ] = 24.0,
    secret: Annotated[
        str | None,
        typer.Option(
            envvar="IMAGEMILL_NEW_WEBHOOK_SECRET",
            metavar="SECRET",
            help="One of your own: whsec_ and base64; better by the environment, which nobody sees.",
        ),
    ] = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Changes the secret that events are signed with, and prints the new one."""
    body: dict[str, Any] = {"keep_old_hours": keep_old_hours}
    run(url, lambda client: _rotate(client, body | ({} if secret is None else {"secret": secret}), json=json))


async def _rotate(client: Client, body: dict[str, Any], *, json: bool) -> int:
    found = await client.call("POST", "/v1/webhooks/secret/rotate", json=body)
    tell(found, [] if json else [harmless(found["secret"])], json=json)
    for end in found.get("old_expire_at", []):
        whisper(harmless(f"An old one is good until {end}."))
    return 0
