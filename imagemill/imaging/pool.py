"""Copies of images, by a few child processes that take turns; one that dies or hangs is replaced."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from imagemill.bounded_child import BoundedChild
from imagemill.domain.gallery import SheetOrder
from imagemill.domain.renditions import MOST_BYTES, Rendition

log = structlog.get_logger()
MOST_DEATHS = 2
"""After so many copies of one image have each taken a process down, the rest of them is not tried."""


class ImagingPool:
    """Makes copies and contact sheets. Processes start when there is something to do.

    Args:
        processes: how many work at once; who comes when all are busy waits.
        seconds: for one image, or one sheet; then the process is killed.
        memory_mb: that a process may take.

    Attributes:
        seconds: as above; it may be changed.
    """

    def __init__(self, processes: int = 1, seconds: float = 30, memory_mb: int = 1024) -> None:
        self.seconds = seconds
        self._children = [
            BoundedChild("imagemill.imaging.child", options=[str(memory_mb)]) for _ in range(processes)
        ]
        self._idle = list(self._children)
        self._turn = asyncio.Semaphore(processes)

    async def copies(self, image: bytes, specs: Sequence[Rendition]) -> list[bytes | None]:
        """A copy for each specification; None where there is none.

        All are made of one decoding. Where that takes the process down, they are made one by one, to
        find the guilty one.
        """
        if len(image) > MOST_BYTES or not specs:
            return [None] * len(specs)
        made = await self._ask({"copies": [spec.model_dump() for spec in specs]}, [image])
        if made is not None or len(specs) == 1:
            return made or [None]
        found: list[bytes | None] = []
        deaths = 0
        for spec in specs:
            one = None
            if deaths < MOST_DEATHS:
                one = await self._ask({"copies": [spec.model_dump()]}, [image])
                deaths += one is None
            found.append(one[0] if one else None)
        return found

    async def sheet(self, order: SheetOrder, pictures: Sequence[bytes]) -> bytes | None:
        """All pictures on one sheet, as webp; None where there is none."""
        made = await self._ask({"sheet": order.model_dump()}, pictures)
        return made[0] if made else None

    @property
    def pids(self) -> list[int]:
        """The processes that there are."""
        return [child.pid for child in self._children if child.pid]

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(child.close() for child in self._children))

    async def _ask(self, order: dict[str, Any], images: Sequence[bytes]) -> list[bytes | None] | None:
        """What was made; None: it took the process down."""
        head = json.dumps(order | {"sizes": [len(image) for image in images]}).encode()
        async with self._one() as child:
            made = await child.ask(b"".join([head, b"\n", *images]), _read, self.seconds)
        if made is None:
            log.warning("an image took the process down that was to make its copies")
        return made

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[BoundedChild]:
        async with self._turn:
            child = self._idle.pop()
            try:
                yield child
            finally:
                self._idle.append(child)


async def _read(answer: asyncio.StreamReader) -> list[bytes | None]:
    line = await answer.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    made: list[bytes | None] = []
    for facts in json.loads(line)["made"]:
        data = await answer.readexactly(facts["size"])
        if "problem" in facts:
            log.warning("a copy of an image could not be made", problem=facts["problem"])
        made.append(None if "problem" in facts else data)
    return made
