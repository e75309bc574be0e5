"""`imagemill models`: what can be bought, and for how much."""

from typing import Annotated, Any

import typer

from cli import completion
from cli.client import Client
from cli.running import run, whisper
from cli.service import Url
from cli.telling import AsJson, facts, print_line, tell
from cli.telling import tell_list as tell_all

PRICES = {
    "image_usd": "an image",
    "image_out_usd": "1M tokens of images out",
    "image_in_usd": "1M tokens of images in",
    "text_in_usd": "1M tokens of text in",
    "text_out_usd": "1M tokens of text out",
}


def models(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="One of them.", autocompletion=completion.models)
    ] = None,
    *,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Lists the models that the service buys from, or shows one with its prices and limits."""
    run(url, lambda client: _models(client, json=json) if model is None else _model(client, model, json=json))


async def _models(client: Client, *, json: bool) -> int:
    entries = client.listed("/v1/models", {}, None, whisper)
    head = ("Model", "Sold", "Until", "Qualities")
    await tell_all(entries, head, _row, json=json, text=4, cut=3, none="There are no models.")
    return 0


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    sold = "yes" if entry["available"] else "no"
    return entry["id"], sold, entry["shutdown"] or "-", ", ".join(entry["qualities"])


async def _model(client: Client, model: str, *, json: bool) -> int:
    found = await client.call("GET", f"/v1/models/{model}")
    if json:
        print_line(found)
        return 0
    prices = [
        (f"At {pool['name']}", f"${value} for {PRICES[name]}")
        for pool in found["pools"]
        for name, value in pool["prices"].items()
        if value is not None and name in PRICES
    ]
    rows: list[tuple[str, object]] = [
        ("Model", found["id"]),
        ("Sold", "yes" if found["available"] else "no"),
        ("Bought as", found["bought_as"]),
        ("Until", found["shutdown"]),
        ("Successor", found["successor"]),
        ("Sizes", ", ".join(found["sizes"] or ["any"])),
        ("Qualities", ", ".join(found["qualities"])),
        ("Formats", ", ".join(found["formats"])),
        ("Doubt", found["uncertain"]),
        *prices,
    ]
    tell(found, facts(rows), json=False)
    return 0
