"""What somebody has typed into the submit form, as the submission that it means.

A draft is the form's fields as they were sent: it is shown again as it is, whatever is wrong with it. What
is wrong is told by field, so that it can be said beside it.
"""

import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api.models import INLINE_ITEMS, JobBody
from dashboard.faults import MISSING, Faults, field_of, worded

SETTINGS = ("model", "size", "quality", "output_format", "background")
VARIANT_FIELDS = ("name", "size", "quality", "words")
RENDITION_FIELDS = ("name", "width", "height", "fit", "format")
MOST_ROWS = 20
"""Variants, and renditions, that the form has room for; the API takes more."""

SOURCES = {
    "newest": "the newest file under a prefix of a bucket",
    "newest_file": "the last upload whose name begins so",
    "url": "what is at an address",
}
"""Where each run of a schedule may find its feed, instead of always reading the same one."""

ENOUGH = "999999999"
"""The cap of an estimate that is asked for before one is known."""

DEFAULTS = {
    "source": "file",
    "output_format": "webp",
    "on_exhausted": "hold",
    "on_unknown": "retry",
    "priority": "3",
    "encoding": "auto",
    "reuse": "none",
}
"""What the form says before anything is typed."""


def typed_job(job: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the form that would say a submission, as far as it has fields for it."""
    manifest = job.get("manifest") or {}
    found = {kind: at for kind, at in (manifest.get("source") or {}).items() if isinstance(at, str)}
    typed: dict[str, Any] = {
        "source": "file" if manifest else "items",
        "items": "\n".join(json.dumps(item, ensure_ascii=False) for item in job.get("items") or ()),
        **{name: manifest.get(name) for name in ("file_id", "format", "encoding", "id", "prompt", "where")},
        **{name: manifest.get(name) for name in ("mask", "markup")},
        "images": "\n".join(manifest.get("images") or ()),
        **{name: (job.get("defaults") or {}).get(name) for name in (*SETTINGS, "n")},
        **(job.get("budget") or {}),
        "s_source": next(iter(found), None),
        "s_source_at": next(iter(found.values()), None),
        "key": (job.get("output") or {}).get("key"),
        "webhook_url": (job.get("webhook") or {}).get("url"),
        "pool": next(iter(job.get("pools") or ()), None),
        **{name: job.get(name) for name in ("name", "on_unknown", "priority", "reuse")},
    }
    for kind, rows in (("variant", manifest.get("variants")), ("rendition", job.get("renditions"))):
        for n, row in enumerate(rows or ()):
            typed |= {f"{kind}-{n}-{name}": value for name, value in row.items()}
    return {name: str(value) for name, value in typed.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of the form, as they were sent."""

    said: Mapping[str, str]

    @classmethod
    def new(cls) -> "Draft":
        """An empty form, with a key under which it makes one job however often it is sent."""
        return cls({**DEFAULTS, "once": secrets.token_urlsafe(18)})

    def text(self, name: str) -> str:
        """A field; empty where it was not sent."""
        return self.said.get(name, "")

    def with_(self, **said: str) -> "Draft":
        """The same with other words in some fields."""
        return Draft({**self.said, **said})

    def rows(self, kind: str, names: Sequence[str]) -> list[dict[str, str]]:
        """The rows of a small table in the form, such as ``variant-0-name``, up to the last in use."""
        found = [{name: self.text(f"{kind}-{n}-{name}") for name in names} for n in range(MOST_ROWS)]
        used = [n for n, row in enumerate(found) if any(row.values())]
        return found[: used[-1] + 1] if used else []

    @property
    def variants(self) -> list[dict[str, str]]:
        """Pictures of each row."""
        return self.rows("variant", VARIANT_FIELDS)

    @property
    def renditions(self) -> list[dict[str, str]]:
        """Copies of each image."""
        return self.rows("rendition", RENDITION_FIELDS)

    @property
    def is_feed(self) -> bool:
        """Is it a feed that items are made of, or are they listed?"""
        return self.text("source") != "items"

    # --- as a submission ----------------------------------------------------------------------

    def raw(self, *, cap: str | None = None) -> dict[str, Any]:
        """The submission that is meant, not yet checked; ``cap`` instead of the one that was typed."""
        said: dict[str, Any] = {
            "defaults": self._defaults(),
            "budget": said_of(
                limit_usd=cap or usd(self.text("limit_usd")), on_exhausted=self.text("on_exhausted")
            ),
            **said_of(
                name=self.text("name").strip(),
                on_unknown=self.text("on_unknown"),
                priority=_number(self.text("priority")),
                pools=[self.text("pool")] if self.text("pool") else [],
            ),
        }
        if self.text("key"):
            said["output"] = {"key": self.text("key")}
        if self.text("webhook_url").strip():
            said["webhook"] = {"url": self.text("webhook_url").strip()}
        said |= self._later_fields()
        said |= (
            {"manifest": self.manifest()} if self.is_feed else {"items": list(items_of(self.text("items")))}
        )
        return said

    def manifest(self) -> dict[str, Any]:
        """The feed and its templates."""
        return said_of(
            **self._feed(),
            format=self.text("format") or "csv",
            encoding=self.text("encoding"),
            id=self.text("id"),
            prompt=self.text("prompt"),
            where=self.text("where"),
            images=[line for line in self.text("images").splitlines() if line.strip()],
            mask=self.text("mask"),
            markup=self.text("markup"),
            variants=[said_of(**row) for row in self.variants],
        )

    def _feed(self) -> dict[str, Any]:
        """The feed itself, or of a schedule where each run finds its own."""
        kind, at = self.text("s_source"), self.text("s_source_at").strip()
        if self.text("s_every") and kind in SOURCES:
            return {"source": {kind: at}}
        return {"file_id": self.text("file_id") or None}

    def _defaults(self) -> dict[str, Any]:
        settings = {name: self.text(name).strip() for name in SETTINGS}
        return said_of(**settings, n=_number(self.text("n")))

    def _later_fields(self) -> dict[str, Any]:
        """Fields that a submission has where the service can do it."""
        known = JobBody.model_fields
        said: dict[str, Any] = {}
        if "reuse" in known and self.text("reuse") not in ("", "none"):
            said["reuse"] = self.text("reuse")
        if "renditions" in known and self.renditions:
            said["renditions"] = [_rendition(row) for row in self.renditions]
        return said

    def body(self, *, cap: str | None = None, more: Callable[[dict[str, Any]], Any] = dict) -> JobBody:
        """The submission. Raises ValidationError: it is none; says by field what is missing."""
        return JobBody.model_validate(more(self.raw(cap=cap)))


def read(
    draft: Draft, faults: Faults, *, cap: str | None = None, more: Callable[[dict[str, Any]], Any] = dict
) -> JobBody | None:
    """The submission of a draft; None: it is none, and the faults say why. ``more`` adds to it first."""
    try:
        return draft.body(cap=cap, more=more)
    except ValidationError as error:
        for fault in error.errors():
            place = "".join(f"/{part}" for part in fault["loc"])
            faults.add(field_of(place), worded(place, fault))
        if draft.is_feed and draft.text("format") in ("", "csv", "jsonl"):  # no known feed, so it has none
            for name in ("id", "prompt"):
                if not draft.text(name).strip():
                    faults.add(name, MISSING[name])
    except ItemsUnread as error:
        faults.add("items", str(error))
    return None


# --- items that are listed ------------------------------------------------------------------------


class ItemsUnread(ValueError):
    """A line of the listed items can't be read."""


def items_of(text: str) -> Iterator[dict[str, Any]]:
    """One item a line: a JSON object, an id and a prompt with a tab between, or a prompt alone.

    Raises:
        ItemsUnread: a line begins like JSON and is none.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(lines) > INLINE_ITEMS:
        raise ItemsUnread(f"{len(lines):,} lines; above {INLINE_ITEMS:,} items, upload them as a feed")
    for number, line in lines:
        yield _item_of(number, line)


def _item_of(number: int, line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        name, tab, prompt = line.partition("\t")
        return {"custom_id": name.strip(), "prompt": prompt.strip()} if tab else _numbered(number, line)
    try:
        item = json.loads(line)
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ItemsUnread(f"line {number} has half of a surrogate pair, which is no text") from None
    except (ValueError, RecursionError) as error:
        raise ItemsUnread(f"line {number} begins like JSON, but is none: {error}") from None
    return item if isinstance(item, dict) else _numbered(number, line)


def _numbered(number: int, prompt: str) -> dict[str, Any]:
    return {"custom_id": f"item-{number}", "prompt": prompt}


# --- words as values ------------------------------------------------------------------------------


def said_of(**values: Any) -> dict[str, Any]:
    """What was said; what was left empty is left out."""
    return {name: value for name, value in values.items() if value not in ("", None, [])}


def _number(text: str) -> int | str:
    """A number, or what was typed instead of one, for the API to refuse."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def usd(text: str) -> str:
    """A sum without what people put around it: ``$1,250.00``."""
    text = text.strip().removeprefix("$").strip()
    return text.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text) else text


def _rendition(row: Mapping[str, str]) -> dict[str, Any]:
    numbers = {name: _number(row[name]) for name in ("width", "height")}
    return said_of(**(dict(row) | numbers))


def fields_of(form: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """The fields of a form that are text, with one kind of line end."""
    return {name: value.replace("\r\n", "\n") for name, value in form if isinstance(value, str)}
