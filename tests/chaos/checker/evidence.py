"""The folder that a run leaves behind, line by line; each line knows where it stands."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

LISTS = (
    "faults.jsonl",
    "clients.jsonl",
    "sink.jsonl",
    "provider.jsonl",
    "bucket/objects.jsonl",
    "processes.jsonl",
    "histories.jsonl",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file; `where` is what a verdict names, such as ``clients.jsonl:12``."""

    where: str
    said: Json

    @property
    def time(self) -> float:
        """When, in seconds since the epoch."""
        return float(self.said.get("time", 0.0))


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it. `wrong` says which files are missing, and which lines can't be read."""

    folder: Path
    scenario: Json
    lines: Mapping[str, list[Line]]
    wrong: list[str] = field(default_factory=list)

    def of(self, name: str) -> list[Line]:
        """The lines of one file."""
        return self.lines[name]

    def files(self, *patterns: str) -> Iterator[Path]:
        """Files of the folder that fit one of the patterns."""
        for pattern in patterns:
            yield from sorted(path for path in self.folder.glob(pattern) if path.is_file())


def read(folder: Path) -> Evidence:
    """Read a folder; what is missing is said in `wrong`, and is nothing else but empty."""
    wrong: list[str] = []
    scenario = _scenario(folder / "scenario.json", wrong)
    lines = {name: _lines(folder, name, wrong) for name in LISTS}
    ops = Counter(line.said.get("op") for line in lines["clients.jsonl"] if line.said.get("event") == "begun")
    if ops and ops.most_common(1)[0][1] > 1:
        wrong.append("clients.jsonl has calls with the same number: two runs have written into one folder")
    return Evidence(folder, scenario, lines, wrong)


def _scenario(path: Path, wrong: list[str]) -> Json:
    try:
        found: Json = json.loads(path.read_bytes())
    except (OSError, ValueError):
        wrong.append("scenario.json is missing, or can't be read")
        return {}
    return found


def _lines(folder: Path, name: str, wrong: list[str]) -> list[Line]:
    try:
        data = (folder / name).read_bytes()
    except OSError:
        wrong.append(f"{name} is missing")
        return []
    lines = []
    for number, text in enumerate(data.splitlines(), 1):
        try:
            lines.append(Line(f"{name}:{number}", json.loads(text)))
        except ValueError:
            wrong.append(f"{name}:{number} can't be read")
    return lines
