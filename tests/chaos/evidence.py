"""The folder that a run leaves behind, from which it is judged: append-only lines, and copies."""

import json
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Lines:
    """A file of JSON lines; each is on the disk's side of this process as soon as it is added."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def add(self, **line: Any) -> None:
        """Add a line, with the time unless it says one itself."""
        self._file.write(json.dumps({"time": time.time()} | line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Nothing comes any more."""
        self._file.close()


class Evidence:
    """The files of a run that are written while it goes on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.clients = Lines(folder / "clients.jsonl")
        self.sink = Lines(folder / "sink.jsonl")
        self.faults = Lines(folder / "faults.jsonl")

    def write(self, name: str, content: Any) -> None:
        """Write a whole file of JSON."""
        (self.folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close all files."""
        for lines in (self.clients, self.sink, self.faults):
            lines.close()
