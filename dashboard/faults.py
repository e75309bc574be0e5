"""What is wrong with what was typed into a form, by field, so that it can be said beside it."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagemill.domain.errors import InvalidInput

_PLACE = re.compile(r"^/(?P<at>[a-z_]+)(?:/(?P<rest>.*))?$")


@dataclass(slots=True)
class Faults:
    """What is wrong: by field, and what belongs to none."""

    fields: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    others: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.fields or self.others)

    def add(self, name: str | None, what: str) -> None:
        """One more; None: it belongs to no field."""
        where = self.others if name is None else self.fields[name]
        if what not in where:
            where.append(what)

    def of(self, name: str) -> str | None:
        """What is wrong with a field, in words."""
        return "; ".join(self.fields[name][:3]) if self.fields.get(name) else None


def blame(faults: Faults, error: InvalidInput) -> None:
    """Put what the API finds wrong beside the fields that it speaks of."""
    for place, what in error.problems[:200]:
        name = field_of(place)
        shown = MISSING["model"] if what.startswith("no model is named") else f"{_item(place)}{what}"
        faults.add(name, shown if name or not place else f"{place}: {what}")


WHOLE = {"output": "key", "webhook": "webhook_url", "pools": "pool"} | {
    name: name for name in ("items", "name", "priority", "on_unknown", "reuse")
}
"""Fields of the form that stand for a whole part of the submission."""
PARTS = {"defaults": "model", "budget": "limit_usd"}
"""Parts whose fields are the form's, and the one that is meant where none is named."""


def field_of(place: str) -> str | None:
    """The field of the form that a JSON pointer into the submission, or a line of the feed, speaks of."""
    if place.startswith(("line ", "manifest")):
        return "file"
    found = _PLACE.match(place)
    if not found:
        return None
    at, rest = found["at"], (found["rest"] or "").split("/")
    if at == "renditions" or (at == "manifest" and rest[0] == "variants"):
        return _row_field(at, rest)
    if at == "manifest":
        return _manifest_field(rest[0])
    return (rest[0] or PARTS[at]) if at in PARTS else WHOLE.get(at)


def _manifest_field(name: str) -> str | None:
    if name == "source":
        return "s_source_at"
    if name in ("file_id", ""):
        return "file"
    return (
        name if name in ("format", "encoding", "id", "prompt", "where", "images", "mask", "markup") else None
    )


def _row_field(at: str, rest: Sequence[str]) -> str:
    """The cell of a table: ``variant-0-name``, or its first one."""
    kind = "rendition" if at == "renditions" else "variant"
    steps = list(rest if at != "manifest" else rest[1:])
    number = steps[0] if steps and steps[0].isdigit() else "0"
    name = steps[1] if len(steps) > 1 else "name"
    return f"{kind}-{number}-{name}"


def _item(place: str) -> str:
    """Which of the listed items it is, counted from 1, if it is one."""
    parts = place.split("/")
    return f"item {int(parts[2]) + 1}: " if place.startswith("/items/") and parts[2].isdigit() else ""


def worded(place: str, fault: Mapping[str, Any]) -> str:
    """What is wrong, in words for a person."""
    if fault["type"] == "missing" or (fault["type"] == "string_too_short" and not fault["input"]):
        words = MISSING.get(field_of(place) or "", "this is needed")
        return f"{_item(place)}{words}"
    text = str(fault["msg"]).removeprefix("Value error, ")
    if text.startswith("give either a file_id"):
        text = MISSING["file"]
    return f"{_item(place)}{text}"


MISSING = {
    "file": "choose a feed, or upload one",
    "items": "list one item at least",
    "id": "write what an item's id is made of, such as {{ row.sku }}",
    "prompt": "write what to draw, such as Photo of {{ row.title }}",
    "model": "choose a model",
    "limit_usd": "set a cap: what the job may cost at most",
}
"""What to do about a field that is empty."""
