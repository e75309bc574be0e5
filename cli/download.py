"""All images of a job into a folder, a few at once; what is there already is not fetched again.

1. where names come from a pattern, read all items once, so that two images of one name are told before
   anything is written;
2. read the items, a page at a time: the addresses of their images are made then, and good for an hour;
3. fetch each image and check its hash; an address that has expired is asked for anew;
4. write every item that has ended to `results.jsonl`, each image with its file instead of its address;
5. of a job that is followed, begin again with the first page that has open items, until the job has ended.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from cli import patience
from cli.answers import Item, ItemPage
from cli.client import Client
from cli.downloads import Downloads, Expired
from cli.errors import CliError
from cli.fetch import fetch, fetch_rendition, scratch_for
from cli.jobs.items import item_path
from cli.naming import Clash, Names, Pattern, Shot, identity, usual_name
from cli.patience import STUBBORN, patiently
from cli.places import RESULTS, UnsafeKey, holds, name_within, place_below

AT_ONCE = 8
OPEN = ("pending", "running")
SHOWN_CLASHES = 5
FOLLOW_PAUSE = 3.0
Say = Callable[[str], None]
Answer = TypeVar("Answer")


@dataclass(slots=True)
class Account:
    """What became of the images.

    Attributes:
        fetched: images that were downloaded.
        present: images that were there already, with the right hash.
        failed: keys of images that could not be had, and why.
        states: items by their end state.
        formats: the formats of the images.
    """

    fetched: int = 0
    present: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)
    formats: set[str] = field(default_factory=set)

    @property
    def images(self) -> int:
        """Images that are in the folder now."""
        return self.fetched + self.present


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a job's images are to be had.

    Attributes:
        pattern: their names; None: as they are named in the bucket.
        rendition: which of their renditions; None: the images themselves.
        at_once: so many are fetched side by side.
        follow: go on until the job has ended.
    """

    pattern: Pattern | None = None
    rendition: str | None = None
    at_once: int = AT_ONCE
    follow: bool = False


PLAIN = Wanted()


@dataclass(slots=True)
class Place:
    """How far a followed job has been read.

    Attributes:
        after: the last page of which nothing is open any more.
        items: so many items are in it and before it.
    """

    after: str | None = None
    items: int = 0


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
        wanted: Wanted = PLAIN,
    ) -> None:
        """Does nothing yet.

        Args:
            client: reads the items.
            downloads: reads the images.
            job: its id.
            folder: made if missing.
            say: told when something is tried again.
            on_image: called after each image, had or not.
            wanted: which images, and under which names.
        """
        self._client = client
        self._downloads = downloads
        self._job = job
        self._folder = folder
        self._say = say
        self._on_image = on_image
        self._wanted = wanted
        self._turns = asyncio.Semaphore(wanted.at_once)
        self._names = None if wanted.pattern is None else Names(wanted.pattern)
        self._account = Account()
        self._had: dict[str, str] = {}
        self._taken: dict[bytes, bytes] = {}
        self._place = Place()

    async def run(self) -> Account:
        """Fetches what has ended so far, or all of a job that is followed.

        Raises:
            Refused, ServiceAway: the items can't be read.
            Clash: a pattern gives two images one name; nothing was written.
            CliError: the folder can't be written to.
        """
        first = await self._page(None)  # before anything is made here: there may be no such job
        if self._names is not None:
            await self._look_at_names(first, self._names)
        try:
            with scratch_for(self._folder / RESULTS) as results:
                while not await self._round(results):
                    await patience.sleep(FOLLOW_PAUSE)
        except OSError as error:
            raise CliError(f"{self._folder} can't be written to: {error.strerror}") from None
        return self._account

    async def _look_at_names(self, first: ItemPage, names: Names) -> None:
        clashes: list[str] = []
        place = Place()
        async for page in self._pages(first, place):
            for shot in self._shots(page, place.items):
                try:
                    names.claim(shot)
                except Clash as error:
                    clashes.append(str(error))
                except UnsafeKey:
                    pass  # told of that image alone, when it is its turn
            place.items += len(page.data)
        if clashes:
            more = f"\n  … and {len(clashes) - SHOWN_CLASHES:,} more" if len(clashes) > SHOWN_CLASHES else ""
            raise Clash("\n  ".join(["Nothing was written.", *clashes[:SHOWN_CLASHES]]) + more)

    async def _round(self, results: BinaryIO) -> bool:
        """Takes what has ended by now; returns whether that was all that is wanted."""
        # Asked before the items are: what had ended then is among them.
        last = not self._wanted.follow or await self._ended()
        self._account.failed.clear()
        settled = True
        place = Place(self._place.after, self._place.items)
        async for page in self._pages(await self._page(place.after), place):
            lines = await asyncio.gather(
                *(self._item(raw, place.items + number) for number, raw in enumerate(page.data, 1))
            )
            place.items += len(page.data)
            settled = settled and None not in lines and not self._account.failed
            if last or settled:
                self._write(results, page, lines, place.items - len(page.data))
            if settled and page.last:
                self._place = Place(page.last, place.items)
        return last

    def _write(self, results: BinaryIO, page: ItemPage, lines: list[str | None], before: int) -> None:
        for index, (raw, line) in enumerate(zip(page.data, lines, strict=True), before + 1):
            if line is None:
                continue
            results.write(line.encode() + b"\n")
            self._account.states[raw["state"]] = self._account.states.get(raw["state"], 0) + 1
            for n in range(1, len(raw["images"]) + 1):
                self._had.pop(identity(index, n), None)

    async def _pages(self, page: ItemPage, place: Place) -> AsyncIterator[ItemPage]:
        yield page
        while page.has_more:
            page = await self._page(page.last)
            yield page

    async def _page(self, after: str | None) -> ItemPage:
        return await self._stubbornly(lambda: self._client.page(self._job, after))

    async def _ended(self) -> bool:
        return (await self._stubbornly(lambda: self._client.status(self._job)))[0].ended

    async def _stubbornly(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        return await patiently(call, say=self._say, waits=STUBBORN)

    def _shots(self, page: ItemPage, before: int) -> list[Shot]:
        return [
            shot
            for number, raw in enumerate(page.data, 1)
            for shot in self._shots_of(Item.model_validate(raw), before + number)
        ]

    def _shots_of(self, item: Item, index: int) -> list[Shot]:
        return [
            Shot(self._job, item, image, index, n, self._wanted.rendition)
            for n, image in enumerate(item.images, 1)
        ]

    async def _item(self, raw: dict[str, Any], index: int) -> str | None:
        """The item's line for the list of results, once its images are here; None if it has not ended."""
        item = Item.model_validate(raw)
        if item.state in OPEN:
            return None
        files = await asyncio.gather(*map(self._image, self._shots_of(item, index)))
        images = [_local(image, file) for image, file in zip(raw["images"], files, strict=True)]
        return json.dumps(raw | {"images": images}, ensure_ascii=False)

    async def _image(self, shot: Shot) -> str | None:
        """Where the image lies within the folder; None if it could not be had."""
        if shot.identity in self._had:  # not by its key: an image that is reused answers several items
            return self._had[shot.identity]
        try:
            async with self._turns:
                self._had[shot.identity] = await self._take(shot)
        except (CliError, OSError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._account.failed.append((shot.image.key, why))
            return None
        finally:
            self._on_image()
        self._account.formats.add(shot.image.format)
        return self._had[shot.identity]

    async def _take(self, shot: Shot) -> str:
        if shot.rendition is not None:
            # A rendition has a format of its own, which only its address tells.
            address = await self._stubbornly(lambda: self._address(shot))
            shot = replace(shot, ending=PurePosixPath(urlsplit(address).path).suffix or None)
        name = self._name(shot)
        place = place_below(self._folder, name)
        if shot.rendition is not None:
            new = await self._stubbornly(lambda: self._rendition(shot, place))
        elif new := not await asyncio.to_thread(holds, place, shot.image.sha256):
            await self._stubbornly(lambda: self._original(shot, place))
        self._account.fetched += new
        self._account.present += not new
        return str(name)

    def _name(self, shot: Shot) -> PurePosixPath:
        if self._names is not None:
            return self._names.claim(shot)
        reused = shot.item.reused_from is not None
        name = usual_name(shot) if reused else name_within(self._job, shot.image.key)
        if shot.rendition is not None:  # as its own kind of image, beside the original
            name = name.with_name(f"{name.stem}.{_flat(shot.rendition)}{shot.suffix}")
        # By hashes: there may be a million of them.
        mark, key = (blake2b(text.encode(), digest_size=16).digest() for text in (str(name), shot.image.key))
        if self._taken.setdefault(mark, key) != key:
            raise Clash(f"{name} would be the name of two images: name them with --as")
        return name

    async def _original(self, shot: Shot, place: Path) -> None:
        try:
            await fetch(self._downloads, shot.image, place)
        except Expired:
            await fetch(self._downloads, shot.image, place, await self._address(shot))

    async def _rendition(self, shot: Shot, place: Path) -> bool:
        return await fetch_rendition(self._downloads, await self._address(shot), place)

    async def _address(self, shot: Shot) -> str:
        """A fresh one from the service."""
        query = {"variant": shot.item.variant, "rendition": shot.rendition}
        said = {name: value for name, value in query.items() if value is not None}
        return await self._client.address(
            f"{item_path(self._job, shot.item.custom_id)}/images/{shot.n}", said
        )


def _flat(name: str) -> str:
    return name.replace("/", "_").replace("\\", "_")


def _local(image: dict[str, Any], file: str | None) -> dict[str, Any]:
    """An image of the list of results: its address expires, its file does not."""
    return {name: value for name, value in image.items() if name != "url"} | {"file": file}
