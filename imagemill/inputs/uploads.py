"""Are the files there that references name? Asked before anything is bought."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from imagemill.domain.places import file_key
from imagemill.ports import ObjectStore
from imagemill.presence import is_there

AT_ONCE = 16
KEPT_ANSWERS = 50_000


def no_file(file_id: str) -> str:
    """What is said of a file that is not there."""
    return f"there is no file {file_id}; upload it to /v1/files first"


class Uploads:
    """Which files a tenant has uploaded; each is asked for once, while its answer is kept."""

    def __init__(self, control: ObjectStore, tenant: str) -> None:
        self._control = control
        self._tenant = tenant
        self._answers: OrderedDict[str, bool] = OrderedDict()
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def missing(self, file_ids: Iterable[str]) -> set[str]:
        """Those of these files that are not there."""
        asked = set(file_ids)
        known = {file_id: self._answers[file_id] for file_id in asked if file_id in self._answers}
        unknown = sorted(asked - known.keys())
        known |= zip(unknown, await asyncio.gather(*map(self._is_there, unknown)), strict=True)
        self._answers |= known
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        return {file_id for file_id, there in known.items() if not there}

    async def _is_there(self, file_id: str) -> bool:
        async with self._slots:
            return await is_there(self._control, file_key(self._tenant, file_id))
