"""Which ids and names a job has used: exact, and at constant memory for a million of them."""

import hashlib
import sqlite3
from types import TracebackType


class Seen:
    """A set of strings on disk, as 16-byte hashes, with the line that each was first seen on."""

    def __init__(self) -> None:
        # An empty name makes a private file that the system removes; the page cache is bounded.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("create table seen (hash blob primary key, line integer) without rowid")
        self._database.execute("begin")

    def first_line(self, text: str, line: int) -> int | None:
        """Remember the text. Answers where it was seen before, or None if it is new."""
        key = hashlib.blake2b(text.encode(), digest_size=16).digest()
        if self._database.execute("insert or ignore into seen values (?, ?)", (key, line)).rowcount:
            return None
        found = self._database.execute("select line from seen where hash = ?", (key,)).fetchone()
        return int(found[0])

    def __enter__(self) -> "Seen":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
