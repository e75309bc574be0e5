"""The bad rows of a manifest: the first at hand, all of them in a file where somebody asks for all."""

import json
import tempfile
from types import TracebackType
from typing import BinaryIO

from imagemill.domain.item import PlannedItem
from imagemill.ports import ObjectStore

FIRST_PROBLEMS = 1000
"""So many bad rows are listed in the plan's index; all of them are in the items."""


class BadRows:
    """Bad rows as they are found.

    Args:
        all_of_them: whether they are written to a file, too, for `upload`.
    """

    def __init__(self, *, all_of_them: bool = False) -> None:
        self.count = 0
        self.first: list[dict[str, object]] = []
        self._file: BinaryIO | None = None
        if all_of_them:
            self._file = tempfile.TemporaryFile(prefix="imagemill-")  # noqa: SIM115 - closed with this

    def add(self, item: PlannedItem) -> None:
        """Note an item that can't be bought."""
        if item.problem is None:
            return
        self.count += 1
        row: dict[str, object] = {
            "line": item.line,
            "custom_id": item.custom_id,
            "detail": item.problem.detail,
        }
        if len(self.first) < FIRST_PROBLEMS:
            self.first.append(row)
        if self._file:
            self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    async def upload(self, store: ObjectStore, key: str) -> None:
        """Put all of them into the store, a line each."""
        if self._file:
            self._file.seek(0)
            await store.upload(key, self._file, content_type="application/jsonl", metadata={})

    def __enter__(self) -> "BadRows":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
