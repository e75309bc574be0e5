"""What lies in the buckets after the drain."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.chaos.checker.evidence import Evidence, Json


@dataclass(frozen=True)
class Stored:
    """One object."""

    where: str
    said: Json
    file: Path

    @property
    def key(self) -> str:
        """Its name."""
        return str(self.said["key"])

    @property
    def modified(self) -> float:
        """When it was written, in whole seconds as stores tell it."""
        return float(self.said.get("modified") or 0.0)

    @property
    def metadata(self) -> dict[str, str]:
        """What its writer put beside it, by small letters."""
        return {name.lower(): str(value) for name, value in (self.said.get("metadata") or {}).items()}

    @cached_property
    def data(self) -> bytes:
        """Its bytes."""
        return self.file.read_bytes()

    def json(self) -> Any:
        """Its content as JSON; None if it is none."""
        try:
            return json.loads(self.data)
        except (OSError, ValueError):
            return None


FORGOTTEN = re.compile(
    r"create entry for /buckets/(\S+?)/(.+) failed but the entry exists, treating the write as successful"
)
"""What SeaweedFS logs of an object that its index has in memory, and could not write down on a full disk."""


class Buckets:
    """Both buckets, by key.

    Attributes:
        forgotten: bucket and key of what the store has confirmed, although its log says that its index could
            not keep it. The next start of the store loses that.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.control: dict[str, Stored] = {}
        self.delivery: dict[str, Stored] = {}
        for line in evidence.of("bucket/objects.jsonl"):
            bucket = self.control if line.said.get("bucket") == "control" else self.delivery
            file = evidence.folder / "bucket" / str(line.said["file"])
            bucket[str(line.said["key"])] = Stored(line.where, line.said, file)
        self.forgotten = {
            found.groups()
            for log in evidence.files("logs/store.log")
            for found in FORGOTTEN.finditer(log.read_text(errors="replace"))
        }

    def below(self, prefix: str) -> Iterator[Stored]:
        """Objects of the control bucket whose keys begin so."""
        return (stored for key, stored in self.control.items() if key.startswith(prefix))
