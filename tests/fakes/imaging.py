"""Copies of images that are no images, which say what they were made of."""

import asyncio
import hashlib
from collections.abc import Sequence

from imagemill.domain.gallery import SheetOrder
from imagemill.domain.renditions import Rendition


class FakeImaging:
    """Implements ``imagemill.ports.Imaging``.

    Attributes:
        fails: the names of copies that can't be made.
        error: is raised instead of an answer.
        gate: nothing is answered until it is set.
        arrived: set once something was asked.
        asked: the names that each call asked for.
        sheets: what was to be on each contact sheet, and how many pictures.
        draws: are contact sheets made?
    """

    def __init__(self, *fails: str, error: Exception | None = None) -> None:
        self.fails = set(fails)
        self.error = error
        self.gate, self.arrived = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.asked: list[list[str]] = []
        self.sheets: list[tuple[SheetOrder, int]] = []
        self.draws = True

    async def copies(self, image: bytes, specs: Sequence[Rendition]) -> Sequence[bytes | None]:
        self.asked.append([spec.name for spec in specs])
        self.arrived.set()
        await self.gate.wait()
        if self.error:
            raise self.error
        return [None if spec.name in self.fails else made(image, spec.name) for spec in specs]

    async def sheet(self, order: SheetOrder, pictures: Sequence[bytes]) -> bytes | None:
        self.sheets.append((order, len(pictures)))
        return b"sheet" if self.draws else None


def made(image: bytes, name: str) -> bytes:
    """The copy of an image."""
    return f"{name} of {hashlib.sha256(image).hexdigest()[:8]}".encode()
