"""What was bought before, by the hash of its request: on disk, so that a million items take no memory."""

import sqlite3
from collections.abc import Iterable

from imagemill.domain.item import EarlierItem


class Earlier:
    """Earlier items by hash. Of several with the same one, the first that was added counts."""

    def __init__(self) -> None:
        # An empty name makes a private file that the system removes; the page cache is bounded.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("create table earlier (hash blob primary key, item blob) without rowid")
        self._database.execute("begin")

    def add(self, lines: bytes) -> None:
        """Take in the lines of an index, but for those that are none."""
        rows = [row for line in lines.splitlines() if (row := _row(line))]
        self._database.executemany("insert or ignore into earlier values (?, ?)", rows)

    def find(self, digests: Iterable[str]) -> dict[str, EarlierItem]:
        """The items of those of these hashes that are there."""
        ask = "select item from earlier where hash = ?"
        rows = {
            digest: self._database.execute(ask, (bytes.fromhex(digest),)).fetchone() for digest in digests
        }
        found = {digest: _item(row[0]) for digest, row in rows.items() if row}
        return {digest: item for digest, item in found.items() if item}

    def close(self) -> None:
        """Drop the file."""
        self._database.close()


def _row(line: bytes) -> tuple[bytes, bytes] | None:
    digest, _, item = line.partition(b"\t")
    try:
        return bytes.fromhex(digest.decode()), item
    except ValueError:
        return None


def _item(text: bytes) -> EarlierItem | None:
    try:
        return EarlierItem.model_validate_json(text)
    except ValueError:
        return None
