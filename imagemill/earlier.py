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
        """Take in the lines of an index."""
        split = (line.split(b"\t", 1) for line in lines.splitlines())
        rows = ((bytes.fromhex(digest.decode()), item) for digest, item in split)
        self._database.executemany("insert or ignore into earlier values (?, ?)", rows)

    def find(self, digests: Iterable[str]) -> dict[str, EarlierItem]:
        """The items of those of these hashes that are there."""
        ask = "select item from earlier where hash = ?"
        rows = {
            digest: self._database.execute(ask, (bytes.fromhex(digest),)).fetchone() for digest in digests
        }
        return {digest: EarlierItem.model_validate_json(row[0]) for digest, row in rows.items() if row}

    def close(self) -> None:
        """Drop the file."""
        self._database.close()
