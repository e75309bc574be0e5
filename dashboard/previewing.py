"""The beginning of a feed, and what the templates of a draft make of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import get_args

from pydantic import ValidationError

from api.context import Context
from api.files import FILE_ID
from api.manifests import manifest_of
from api.models import ManifestBody
from api.previews import MOST_ROWS, Feed, PreviewRow, PreviewsBusy, feed_of, sample
from dashboard.drafts import Draft, ItemsUnread, items_of
from dashboard.faults import Faults, blame, field_of, worded
from imagemill.domain.errors import InvalidInput
from imagemill.domain.ids import new_id
from imagemill.domain.job import Encoding, Format, Manifest, ScheduledRun
from imagemill.domain.schedules import RUN, run_values
from imagemill.domain.windows import zone
from imagemill.templating.check import ROW, Hints, template_problems

ROWS = 4
"""So many rows are shown."""


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row as its items: or why it makes none."""

    line: int
    custom_id: str = ""
    prompts: Sequence[tuple[str | None, str]] = ()
    """For each variant its name, and the prompt that is sent."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """References of input images, by ``images/0``, ``mask`` or ``markup``."""
    problem: str | None = None

    @property
    def inputs_as_settings(self) -> dict[str, object]:
        """The same as settings of an item."""
        found: dict[str, object] = {
            name: self.inputs[name] for name in ("mask", "markup") if name in self.inputs
        }
        images = [said for name, said in self.inputs.items() if name.startswith("images/")]
        return found | ({"images": images} if images else {})

    @property
    def is_chosen(self) -> bool:
        """Does ``where`` let it in?"""
        return self.problem is not None or bool(self.prompts)


@dataclass(frozen=True, slots=True)
class Preview:
    """What is seen of a draft before it is sent."""

    feed: Feed | None = None
    rows: Sequence[ShownRow] = ()
    samples: Mapping[str, str] = field(default_factory=dict)
    """A value of each column."""
    trouble: str | None = None

    @property
    def worth_showing(self) -> list[ShownRow]:
        """The first rows that make items, or are bad; where there are none, those that are not chosen."""
        chosen = [row for row in self.rows if row.is_chosen]
        return (chosen or list(self.rows))[:ROWS]

    @property
    def left_out(self) -> int:
        """How many of the rows that were looked at are not chosen."""
        return sum(not row.is_chosen for row in self.rows)

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        """Name, how a template says it, and a value."""
        names = self.feed.seen if self.feed else []
        return [(name, said_in_template(name), self.samples.get(name, "")) for name in names]


async def opened(parts: Context, tenant: str, draft: Draft, faults: Faults) -> tuple[Draft, Preview]:
    """The feed of a draft, and the draft with the format that it is of where it says none."""
    if not draft.is_feed or not draft.text("file_id"):
        return draft, Preview()
    if not FILE_ID.fullmatch(draft.text("file_id")):  # it becomes a key of the store
        faults.add("file", "there is no such file; choose one, or upload it")
        return draft.with_(file_id=""), Preview()
    known: Format | None = next((each for each in get_args(Format) if each == draft.text("format")), None)
    encoding: Encoding = "windows-1252" if draft.text("encoding") == "windows-1252" else "auto"
    try:
        feed = await feed_of(
            parts.control, tenant, draft.text("file_id"), form=known, encoding=encoding, count=MOST_ROWS
        )
    except InvalidInput as error:
        blame(faults, error)
        return draft, Preview()
    return draft.with_(format=feed.format), Preview(feed, samples=sample(feed.rows))


async def previewed(parts: Context, tenant: str, draft: Draft, preview: Preview, faults: Faults) -> Preview:
    """The same with the first rows rendered, as far as they can be."""
    if not draft.is_feed:
        return _listed(draft, preview, faults)
    manifest = _manifest(draft, faults)
    if manifest is None or preview.feed is None:
        return preview
    run = first_run(draft)
    more = {RUN: run_values(run)} if run else {}
    wrong = await asyncio.to_thread(_template_faults, manifest, preview.feed.columns, tuple(more))
    for name, what in wrong:
        faults.add(name, what)
    if wrong:
        return preview
    try:
        shown = await parts.previews.rendered(
            tenant, preview.feed.rows, templates_of(manifest), manifest.where or None, more=more
        )
    except PreviewsBusy as busy:
        return replace(preview, trouble=str(busy))
    return replace(preview, rows=[_row(each, manifest) for each in shown])


def templates_of(manifest: Manifest) -> dict[str, str]:
    """What is rendered of each row, by the name of what it gives."""
    texts = {"id": manifest.id, "prompt": manifest.prompt, "mask": manifest.mask, "markup": manifest.markup}
    images = {f"images/{number}": text for number, text in enumerate(manifest.images)}
    return {name: text for name, text in (texts | images).items() if text}


def said_in_template(column: str) -> str:
    """How a template says a column: ``{{ row.Title }}``, ``{{ row['Body (HTML)'] }}``."""
    if column.isascii() and column.isidentifier():
        return f"{{{{ row.{column} }}}}"
    quote = '"' if "'" in column else "'"
    return f"{{{{ row[{quote}{column}{quote}] }}}}"


def _manifest(draft: Draft, faults: Faults) -> Manifest | None:
    try:
        return manifest_of(ManifestBody.model_validate(draft.manifest()))
    except ValidationError as error:
        for fault in error.errors():
            place = "".join(f"/{part}" for part in ("manifest", *fault["loc"]))
            faults.add(field_of(place), worded(place, fault))
    return None


def first_run(draft: Draft) -> ScheduledRun | None:
    """The run that a schedule is shown for, as if it ran now for the first time; None: it is a job."""
    if not draft.text("s_every"):
        return None
    there = draft.text("s_zone").strip() or "UTC"
    try:
        zone(there)
    except ValueError:
        there = "UTC"
    schedule = draft.text("schedule") or new_id("sched")
    return ScheduledRun(schedule=schedule, number=1, at=datetime.now(UTC), time_zone=there)


def _template_faults(
    manifest: Manifest, columns: Sequence[str] | None, more: Sequence[str]
) -> list[tuple[str, str]]:
    hints = Hints()
    texts = templates_of(manifest) | ({"where": manifest.where} if manifest.where else {})
    return [
        (name.partition("/")[0], what)
        for name, text in texts.items()
        for what in template_problems(text, columns=columns, names=(ROW, *more), hints=hints)
    ]


def _row(row: PreviewRow, manifest: Manifest) -> ShownRow:
    if row.texts is None:
        return ShownRow(row.line, problem=row.problem)
    custom_id, prompt = row.texts.get("id", ""), row.texts.get("prompt", "")
    inputs = {name: text for name, text in row.texts.items() if name not in ("id", "prompt") and text}
    variants = [(each.name, f"{prompt} {each.words}" if each.words else prompt) for each in manifest.variants]
    empty = [name for name, text in (("id", custom_id), ("prompt", prompt)) if not text]
    return ShownRow(
        row.line,
        custom_id,
        variants or [(None, prompt)],
        inputs,
        f"the {empty[0]} is empty" if empty else None,
    )


def _listed(draft: Draft, preview: Preview, faults: Faults) -> Preview:
    """Items that are listed, as they are."""
    try:
        items = list(items_of(draft.text("items")))
    except ItemsUnread as error:
        faults.add("items", str(error))
        return preview
    shown = [
        ShownRow(n, str(item.get("custom_id", "")), [(None, str(item.get("prompt", "")))])
        for n, item in enumerate(items[:MOST_ROWS], start=1)
    ]
    return replace(preview, rows=shown)
