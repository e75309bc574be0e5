"""All images of a job into a folder, a few at once; what is there already is not fetched again.

1. read the items, a page at a time: the addresses of their images are made then, and good for an hour;
2. fetch each image and check its hash;
3. write every item that has ended to `results.jsonl`, each image with its file instead of its address.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from cli.answers import Image, Item, ItemPage
from cli.client import Client, Downloads
from cli.errors import CliError
from cli.fetch import fetch, scratch_for
from cli.patience import patiently
from cli.places import RESULTS, holds, name_within, place_below

AT_ONCE = 8
OPEN = ("pending", "running")
Say = Callable[[str], None]


@dataclass(slots=True)
class Account:
    """What became of the images.

    Attributes:
        fetched: images that were downloaded.
        present: images that were there already, with the right hash.
        failed: keys of images that could not be had, and why.
        states: items by their end state.
    """

    fetched: int = 0
    present: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Images that are in the folder now."""
        return self.fetched + self.present


class Download:
    """Fetches one job's images into one folder."""

    def __init__(
        self,
        client: Client,
        downloads: Downloads,
        *,
        job: str,
        folder: Path,
        say: Say,
        on_image: Callable[[], None] = lambda: None,
    ) -> None:
        """Does nothing yet.

        Args:
            client: reads the items.
            downloads: reads the images.
            job: its id.
            folder: made if missing.
            say: told when something is tried again.
            on_image: called after each image, had or not.
        """
        self._client = client
        self._downloads = downloads
        self._job = job
        self._folder = folder
        self._say = say
        self._on_image = on_image
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._account = Account()

    async def run(self) -> Account:
        """Fetches what has ended so far.

        Raises:
            Refused, ServiceAway: the items can't be read.
            CliError: the folder can't be written to.
        """
        first = await self._page(None)  # before anything is made here: there may be no such job
        try:
            with scratch_for(self._folder / RESULTS) as results:
                async for page in self._pages(first):
                    await self._take(page, results)
        except OSError as error:
            raise CliError(f"{self._folder} can't be written to: {error.strerror}") from None
        return self._account

    async def _take(self, page: ItemPage, results: BinaryIO) -> None:
        for line in await asyncio.gather(*map(self._item, page.data)):
            if line is not None:
                results.write(line.encode() + b"\n")

    async def _pages(self, page: ItemPage) -> AsyncIterator[ItemPage]:
        yield page
        while page.has_more:
            page = await self._page(page.last)
            yield page

    async def _page(self, after: str | None) -> ItemPage:
        return await patiently(lambda: self._client.page(self._job, after), say=self._say)

    async def _item(self, raw: dict[str, Any]) -> str | None:
        """The item's line for the list of results, once its images are here; None if it has not ended."""
        item = Item.model_validate(raw)
        if item.state in OPEN:
            return None
        self._account.states[item.state] = self._account.states.get(item.state, 0) + 1
        files = await asyncio.gather(*map(self._image, item.images))
        images = [_local(image, file) for image, file in zip(raw["images"], files, strict=True)]
        return json.dumps(raw | {"images": images}, ensure_ascii=False)

    async def _image(self, image: Image) -> str | None:
        """Where the image lies within the folder; None if it could not be had."""
        try:
            async with self._turns:
                return await self._had(image)
        except (CliError, OSError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._account.failed.append((image.key, why))
            return None
        finally:
            self._on_image()

    async def _had(self, image: Image) -> str:
        name = name_within(self._job, image.key)
        place = place_below(self._folder, name)
        if await asyncio.to_thread(holds, place, image.sha256):
            self._account.present += 1
        else:
            await patiently(lambda: fetch(self._downloads, image, place), say=lambda _: None)
            self._account.fetched += 1
        return str(name)


def _local(image: dict[str, Any], file: str | None) -> dict[str, Any]:
    """An image of the list of results: its address expires, its file does not."""
    return {name: value for name, value in image.items() if name != "url"} | {"file": file}
