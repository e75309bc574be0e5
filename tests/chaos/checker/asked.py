"""What submissions asked for: items as they stand there, or the rows of an uploaded file."""

import csv
import io
import re
from dataclasses import dataclass, field

from tests.chaos.checker.clients import Call, Clients, row_key
from tests.chaos.checker.evidence import Json

Key = tuple[str, str | None]
"""What tells the items of a job apart: the custom id, and the variant if there are some."""

COLUMN = re.compile(r"\{\{\s*row\.(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Asked:
    """The prompts of a job, by item; `bad` are the items that stand for rows which can't be read."""

    prompts: dict[Key, str]
    bad: set[Key] = field(default_factory=set)


def asked_for(call: Call, clients: Clients) -> Asked | None:
    """What a submission asked for; None: it can't be told from what clients sent."""
    if items := call.asked.get("items"):
        return Asked({row_key(item): item["prompt"] for item in items})
    manifest = call.asked.get("manifest") or {}
    text = _uploaded(manifest.get("file_id"), clients)
    return None if text is None or manifest.get("format") != "csv" else _rows(text, manifest)


def _uploaded(file: object, clients: Clients) -> str | None:
    for call in clients.of("upload"):
        if call.is_answered and call.body.get("id") == file:
            return str(call.asked["text"])
    return None


def _rows(text: str, manifest: Json) -> Asked | None:
    """Rows of a file, where id and prompt are each made of plain columns."""
    header, *rows = list(csv.reader(io.StringIO(text)))
    asked = Asked({})
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            asked.bad.add((f"line-{line}", None))
            continue
        cells = dict(zip(header, row, strict=True))
        name, prompt = (_rendered(manifest[field], cells) for field in ("id", "prompt"))
        if "{" in name + prompt:
            return None
        asked.prompts[name, None] = prompt
    return asked


def _rendered(template: str, cells: dict[str, str]) -> str:
    return COLUMN.sub(lambda found: cells[found[1]], template)
