"""The demo itself, by the public API alone: upload, submit, watch, download, look."""

import asyncio
import json
import secrets
import time
from pathlib import Path, PurePosixPath

from rich.console import Console

from cli.answers import Job
from cli.client import Client
from cli.demo_folder import SHEET
from cli.demo_screen import DemoScreen
from cli.download import Account, Download
from cli.downloads import Downloads
from cli.places import RESULTS, place_below
from cli.progress import Bar, Lines, View
from cli.watch import follow
from sandbox.demo import MANIFEST, Tile, draw_contact_sheet, products, submission


async def tell(client: Client, screen: DemoScreen, folder: Path, began: float) -> int:
    """Runs the job and returns the exit code: 0 only if every item succeeded and every image is here.

    Args:
        client: of a stack without any other work.
        screen: shows what happens.
        folder: gets the images, their list, and the contact sheet.
        began: by the monotonic clock.
    """
    screen.job()
    file_id = await client.upload(MANIFEST)
    accepted = await client.submit(submission(file_id), secrets.token_hex(16))
    screen.accepted(accepted)
    ended = await follow(client, accepted.id, _view(screen.console))
    account = await _download(client, screen, ended, folder)
    sheet = await asyncio.to_thread(_contact_sheet, folder)
    screen.result(ended, account, folder, sheet, time.monotonic() - began)
    return 0 if _all_well(ended, account) else 1


def _view(console: Console) -> View:
    return Bar(console) if console.is_terminal else Lines(console)


async def _download(client: Client, screen: DemoScreen, job: Job, folder: Path) -> Account:
    async with Downloads() as downloads:
        with screen.downloading(job.images) as on_image:
            download = Download(
                client, downloads, job=job.id, folder=folder, say=screen.say, on_image=on_image
            )
            return await download.run()


def _contact_sheet(folder: Path) -> Path | None:
    """The sheet of all images that are here; None if there are none."""
    pictures = _pictures(folder)
    tiles = [
        Tile(product.sku, product.title, pictures[product.sku])
        for product in products()
        if product.sku in pictures
    ]
    if not tiles:
        return None
    count = sum(len(tile.pictures) for tile in tiles)
    sheet = draw_contact_sheet("Shop catalog", f"{len(tiles)} products · {count} images", tiles)
    sheet.save(folder / SHEET)
    return folder / SHEET


def _pictures(folder: Path) -> dict[str, list[Path]]:
    """The image files by SKU, in the order of the variants."""
    found: dict[str, list[Path]] = {}
    for line in (folder / RESULTS).read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        files = [
            place_below(folder, PurePosixPath(image["file"])) for image in item["images"] if image["file"]
        ]
        if files:
            found.setdefault(item["custom_id"], []).extend(files)
    return found


def _all_well(job: Job, account: Account) -> bool:
    counts = job.items
    return (
        job.state == "completed"
        and counts.total == counts.succeeded
        and not account.failed
        and account.images == job.images
    )
