"""The plan of a chunk: read once a worker, kept while its items are bought."""

import asyncio
from collections import OrderedDict

from imagemill.domain.item import PlannedItem
from imagemill.domain.lines import from_lines
from imagemill.domain.places import plan_key
from imagemill.ports import ObjectStore

KEPT_CHUNKS = 20


class Plans:
    """Plans of the chunks that this worker buys from, read from control."""

    def __init__(self, control: ObjectStore) -> None:
        self._control = control
        self._kept: OrderedDict[str, asyncio.Future[list[PlannedItem]]] = OrderedDict()

    async def items(self, tenant: str, job: str, chunk: int) -> list[PlannedItem]:
        """All items of a chunk, by index. Many callers at once read it once."""
        key = plan_key(tenant, job, chunk)
        if key not in self._kept:
            self._kept[key] = asyncio.ensure_future(self._read(key))
            if len(self._kept) > KEPT_CHUNKS:
                self._kept.popitem(last=False)
        reading = self._kept[key]
        self._kept.move_to_end(key)
        try:
            return await asyncio.shield(reading)
        except Exception:
            self._kept.pop(key, None)
            raise

    async def item(self, tenant: str, job: str, chunk: int, index: int) -> PlannedItem:
        """One item of a chunk."""
        return (await self.items(tenant, job, chunk))[index]

    async def _read(self, key: str) -> list[PlannedItem]:
        data = await self._control.get(key)
        return from_lines(PlannedItem, data.splitlines())
