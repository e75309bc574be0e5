"""How the fake service reads submissions: inline items, or the plain rows of an uploaded file."""

import csv
import io
import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from imagemill_client.testing._world import FakeItem, Json

_COLUMN = re.compile(r"\{\{\s*row(?:\.(\w+)|\['([^']*)'\]|\[\"([^\"]*)\"\])[^}]*\}\}")
MODEL = "gpt-image-2.5-flare"
Places = list[tuple[str, str]]


def faults(body: Json, files: Mapping[str, bytes]) -> Places:
    """What is wrong with a submission, as far as a fake can tell."""
    found: Places = []
    items, manifest = body.get("items"), body.get("manifest")
    if (items is None) == (manifest is None):
        found.append(("/", "give either items or a manifest"))
    if items == []:
        found.append(("/", "items is empty: a job needs at least one item"))
    for number, item in enumerate(items or []):
        found += [
            (f"/items/{number}/{name}", "Field required")
            for name in ("custom_id", "prompt")
            if not item.get(name)
        ]
    if manifest is not None and manifest.get("file_id") not in files:
        found.append(("/manifest/file_id", f"there is no file {manifest.get('file_id')}"))
    return found + _cap_faults(body.get("budget"))


def _cap_faults(budget: object) -> Places:
    said = budget.get("limit_usd") if isinstance(budget, dict) else None
    try:
        if not isinstance(said, str) or Decimal(said) <= 0:
            raise InvalidOperation
    except InvalidOperation:
        return [("/budget/limit_usd", f'{said!r} is not a decimal number of US dollars, such as "25.00"')]
    return []


def items_of(body: Json, files: Mapping[str, bytes]) -> list[FakeItem]:
    """The items of a submission."""
    defaults = body.get("defaults") or {}
    if body.get("items") is not None:
        return [_item(defaults | said, None, None) for said in body["items"]]
    manifest = body["manifest"]
    variants = manifest.get("variants") or [{}]
    return [
        _item(defaults | variant | _rendered(manifest, row), line, variant.get("name"))
        for line, row in enumerate(_rows(manifest, files[manifest["file_id"]]), start=2)
        for variant in variants
    ]


def _item(said: Json, line: int | None, variant: str | None) -> FakeItem:
    return FakeItem(
        custom_id=said["custom_id"],
        prompt=said["prompt"],
        model=said.get("model", MODEL),
        variant=variant,
        line=line,
        n=said.get("n", 1),
    )


def _rendered(manifest: Json, row: Mapping[str, str]) -> Json:
    """Columns in the place of ``{{ row.Column }}``; filters are left out, and all else stays as it is."""

    def column(found: re.Match[str]) -> str:
        return str(row.get(next(filter(None, found.groups()), ""), ""))

    return {
        "custom_id": _COLUMN.sub(column, manifest.get("id") or "{{ row.id }}"),
        "prompt": _COLUMN.sub(column, manifest.get("prompt") or "{{ row.title }}"),
    }


def _rows(manifest: Json, data: bytes) -> list[dict[str, str]]:
    text = data.decode("utf-8-sig")
    if manifest.get("format") == "jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return list(csv.DictReader(io.StringIO(text)))
