"""What a schedule's submission says that the form has no field for: changing the rest must not lose it."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.drafts import MOST_ROWS, RENDITION_FIELDS, SETTINGS, VARIANT_FIELDS

PARTS = (
    "name", "defaults", "items", "manifest", "output", "budget", "on_unknown", "pools", "priority",
    "renditions", "webhook", "reuse",
)  # fmt: skip
"""What the form says, or leaves out because it is not wanted."""


def with_kept(said: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """A submission as the form says it, with what it can't say taken from the one before."""
    made = {name: value for name, value in before.items() if name not in PARTS} | dict(said)
    made["defaults"] = _others(before.get("defaults"), (*SETTINGS, "n")) | dict(said.get("defaults") or {})
    if said.get("pools") and said["pools"] == (before.get("pools") or [])[:1]:
        made["pools"] = before["pools"]
    if said.get("webhook"):
        made["webhook"] = dict(before.get("webhook") or {}) | said["webhook"]
    if said.get("renditions"):
        made["renditions"] = _rows(said["renditions"], before.get("renditions"), RENDITION_FIELDS)
    if said.get("manifest"):
        made["manifest"] = _manifest(said["manifest"], before.get("manifest") or {})
    return made


def _manifest(said: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    if said.get("variants"):
        return dict(said) | {"variants": _rows(said["variants"], before.get("variants"), VARIANT_FIELDS)}
    return dict(said) | ({"matrix": before["matrix"]} if before.get("matrix") else {})


def _rows(
    said: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]] | None, fields: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of the same name are the same; those that the form had no room for stay."""
    known = {row["name"]: row for row in before or ()}
    rows = [_others(known.get(row.get("name", "")), fields) | dict(row) for row in said]
    return rows + [dict(row) for row in (before or ())[MOST_ROWS:]]


def _others(before: Mapping[str, Any] | None, fields: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in (before or {}).items() if name not in fields}
