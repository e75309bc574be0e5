"""`imagemill jobs items`, `item` and `image`: what became of the items of a job."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.answers import ItemBill
from cli.client import Client
from cli.downloads import Downloads
from cli.errors import CliError
from cli.fetch import scratch_for
from cli.ids import JobId
from cli.report import item_lines
from cli.running import run, whisper
from cli.service import Url
from cli.telling import All, AsJson, AsLines, Most, facts, tell, tell_list


class ItemState(StrEnum):
    """The state of an item."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    BLOCKED = "blocked"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


CustomId = Annotated[str, typer.Argument(metavar="ITEM", help="The item's custom_id.")]
Variant = Annotated[str | None, typer.Option(help="Which variant of it; needed where the job has variants.")]


def items(
    job: JobId,
    *,
    state: Annotated[ItemState | None, typer.Option(help="Only items in this state.")] = None,
    limit: Most = 100,
    all_: All = False,
    json: AsLines = False,
    url: Url = None,
) -> None:
    """Lists the items of a job, also while it runs.

    Example: imagemill jobs items JOB --state failed
    """
    query = {} if state is None else {"state": state.value}
    run(url, lambda client: _items(client, job, query, None if all_ else limit, json=json))


async def _items(client: Client, job: str, query: dict[str, str], most: int | None, *, json: bool) -> int:
    entries = client.listed(f"/v1/jobs/{job}/items", query, most, whisper)
    head = ("Item", "Variant", "State", "Images", "Cost", "Code")
    await tell_list(entries, head, _row, json=json, text=3, none="There are no such items.")
    return 0


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        entry["custom_id"],
        entry["variant"] or "",
        entry["state"],
        f"{len(entry['images']):,}",
        f"${entry['cost_usd']}",
        (entry["error"] or {}).get("code", ""),
    )


def item(
    job: JobId, custom_id: CustomId, *, variant: Variant = None, json: AsJson = False, url: Url = None
) -> None:
    """Shows one item, with its calls and what they cost."""
    run(url, lambda client: _item(client, job, custom_id, variant, json=json))


async def _item(client: Client, job: str, custom_id: str, variant: str | None, *, json: bool) -> int:
    told = await client.ask(ItemBill, "GET", item_path(job, custom_id), params=_variant(variant))
    found = told.document
    pictures = [f"  {image['width']} x {image['height']}  {image['key']}" for image in found["images"]]
    reused = found.get("reused_from") or {}
    more = facts([("  from job", reused.get("job"))]) if reused else []
    tell(
        found,
        [*item_lines(told.model), *(line for text in pictures for line in facts([("", text)])), *more],
        json=json,
    )
    return 0


def image(
    job: JobId,
    custom_id: CustomId,
    n: Annotated[int, typer.Argument(min=1, help="Which of its images, from 1.")] = 1,
    *,
    variant: Variant = None,
    rendition: Annotated[
        str | None, typer.Option(metavar="NAME", help="A rendition of it instead; thumbnail is always there.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", dir_okay=False, help="Save it there instead of printing its address."),
    ] = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Prints an address of one image, good for an hour, or saves the image.

    Example: imagemill jobs image JOB sku-1001 --variant square --to chair.webp
    """
    query = _variant(variant) | ({} if rendition is None else {"rendition": rendition})
    run(url, lambda client: _image(client, f"{item_path(job, custom_id)}/images/{n}", query, to, json=json))


async def _image(client: Client, path: str, query: dict[str, str], to: Path | None, *, json: bool) -> int:
    address = await client.address(path, query)
    if to is None:
        tell({"url": address}, [address], json=json)
        return 0
    try:
        async with Downloads() as downloads:
            with scratch_for(to) as content:
                async for piece in downloads.read(address):
                    content.write(piece)
    except OSError as error:
        raise CliError(f"{to} can't be written: {error.strerror}") from None
    tell({"place": str(to)}, [str(to)], json=json)
    return 0


def item_path(job: str, custom_id: str) -> str:
    """Where an item is asked for; an id may have slashes."""
    return f"/v1/jobs/{job}/items/{quote(custom_id, safe='')}"


def _variant(variant: str | None) -> dict[str, str]:
    return {} if variant is None else {"variant": variant}
