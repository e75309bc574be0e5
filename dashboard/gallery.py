"""The pictures of a job, by pages: a tile an item."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from api.context import Context
from api.pages import cursor, find_items
from dashboard.session import Seals
from imagemill.domain.item import TERMINAL, ItemResult, ItemState
from imagemill.domain.job import JobSummary
from imagemill.domain.renditions import Copy

TILES = 48
"""On a page."""
STEPS = (".", "..")
"""Ids that no address can have."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One item."""

    at: str
    """Its position in the plan."""
    custom_id: str
    variant: str | None
    state: ItemState
    href: str
    thumbnail: str | None
    images: int
    problem: str | None

    @property
    def version(self) -> str:
        """Changes with whatever is drawn of it."""
        return f"{self.state}-{self.images}"


@dataclass(frozen=True, slots=True)
class Gallery:
    """A page of tiles."""

    tiles: list[Tile]
    last: str | None
    has_more: bool
    stale: bool

    @property
    def settled(self) -> bool:
        """Will none of these tiles change any more?"""
        return bool(self.tiles) and all(tile.state in TERMINAL for tile in self.tiles)


async def gallery_of(
    parts: Context,
    seals: Seals,
    tenant: str,
    job: str,
    summary: JobSummary,
    *,
    after: str | None,
    state: ItemState | None,
) -> Gallery:
    """A page of a job's pictures, in the order of the manifest.

    Raises:
        Problem: ``after`` is not the end of a page.
    """
    found = await find_items(parts, tenant, job, summary, after=after, limit=TILES, state=state)
    tiles = [_tile(seals, tenant, job, position, result) for position, result in found.data]
    return Gallery(tiles, found.last, found.has_more, found.stale)


def item_path(job: str, custom_id: str) -> str:
    """The page of an item; its id is one segment, whatever is in it.

    Dots alone would be taken as steps of the path, however they are written: such an item goes by its place.
    """
    return f"/jobs/{job}/items/{'' if custom_id in STEPS else quote(custom_id, safe='')}"


def query_of(at: str | None, variant: str | None) -> str:
    """Which item of that id: by its variant, and where it is to be found."""
    said = {"variant": variant, "at": at}
    return urlencode({name: value for name, value in said.items() if value is not None})


def image_paths(seals: Seals, tenant: str, job: str, result: ItemResult) -> list[str]:
    """Where the images of an item are served, each with a word that spares the server to look for it."""
    path = item_path(job, result.custom_id)
    return [
        f"{path}/images/{number}?{urlencode({'of': seals.image(tenant, job, image.key, image.format)})}"
        for number, image in enumerate(result.images, 1)
    ]


def copy_paths(seals: Seals, tenant: str, job: str, result: ItemResult) -> list[list[tuple[str, Copy, str]]]:
    """The smaller copies of each image, by name, and where they are served."""
    path = item_path(job, result.custom_id)
    return [
        [
            (name, copy, f"{path}/images/{number}?{urlencode({'of': _word(seals, tenant, job, copy)})}")
            for name, copy in image.renditions.items()
        ]
        for number, image in enumerate(result.images, 1)
    ]


def _word(seals: Seals, tenant: str, job: str, copy: Copy) -> str:
    return seals.image(tenant, job, copy.key, copy.format)


def _tile(seals: Seals, tenant: str, job: str, position: int, result: ItemResult) -> Tile:
    at = cursor(position)
    paths = image_paths(seals, tenant, job, result)
    return Tile(
        at=at,
        custom_id=result.custom_id,
        variant=result.variant,
        state=result.state,
        href=f"{item_path(job, result.custom_id)}?{query_of(at, result.variant)}",
        thumbnail=f"{paths[0]}&size=thumbnail" if paths else None,
        images=len(result.images),
        problem=result.problem.detail if result.problem else None,
    )
