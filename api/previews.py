"""What a feed holds, and what templates make of its first rows, before anything is submitted."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from imagemill.domain.errors import ImagemillError, InvalidInput, ObjectMissing
from imagemill.domain.job import Encoding, Format
from imagemill.domain.places import file_key
from imagemill.inputs.uploads import no_file
from imagemill.manifest import HEAD_BYTES, Row, check_head, read_rows
from imagemill.ports import ObjectStore, Rendered, TemplateRenderer, Templating

AT_ONCE = 2
"""Renderers of one process at a time; each may take half a gigabyte."""
PATIENCE = 10.0
"""Seconds that a preview waits for its turn."""
SECONDS = 8.0
"""Seconds that the templates may take on the first rows, the start of their process included."""
MOST_ROWS = 20

LIKELIEST: tuple[Format, ...] = ("merchant-xml", "jsonl", "shopify-products", "merchant-tsv", "csv")
"""Formats in the order in which a file is tried to be read as one: the choosiest first."""

_SLOW = f"the templates take more than {SECONDS:.0f} seconds on the first rows"


class PreviewsBusy(ImagemillError):
    """Other previews are being rendered; try again in a moment."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The beginning of a feed."""

    format: Format
    columns: Sequence[str] | None
    """None: they differ from row to row; ``seen`` are those of the first rows."""
    rows: Sequence[Row]

    @property
    def seen(self) -> list[str]:
        """The columns that there are, at least in the first rows."""
        if self.columns is not None:
            return list(self.columns)
        return list(dict.fromkeys(name for row in self.rows for name in row.values or ()))


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A row and what the templates make of it; neither texts nor a problem: ``where`` does not choose it."""

    line: int
    texts: Mapping[str, str] | None = None
    problem: str | None = None


@dataclass(slots=True)
class Previews:
    """Renders for people who wait: a few at once, one for each tenant, each within seconds."""

    templating: Templating
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _waiting: Counter[str] = field(default_factory=Counter)

    async def rendered(
        self,
        tenant: str,
        rows: Sequence[Row],
        templates: Mapping[str, str],
        where: str | None,
        *,
        more: Mapping[str, object] | None = None,
    ) -> list[PreviewRow]:
        """What the templates, by name, make of each row. They must be sound, see ``template_problems``.

        ``more`` is what they see besides the row.

        Raises:
            PreviewsBusy: others are being rendered, and none of them is done in time.
        """
        async with self._turn(tenant):
            renderer = await self.templating.start(templates, where)
            try:
                return await _rendered(rows, renderer, more or {})
            finally:
                await renderer.close()

    @asynccontextmanager
    async def _turn(self, tenant: str) -> AsyncIterator[None]:
        """A turn of its own; a tenant that waits for two already is sent away, for there are others."""
        if self._waiting[tenant] >= AT_ONCE:
            raise PreviewsBusy
        self._waiting[tenant] += 1
        try:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._free.acquire()
            except TimeoutError:
                raise PreviewsBusy from None
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._waiting -= Counter([tenant])  # which forgets a tenant that waits no more


async def _rendered(
    rows: Sequence[Row], renderer: TemplateRenderer, more: Mapping[str, object]
) -> list[PreviewRow]:
    sound = [{**more, "row": row.values} for row in rows if row.values is not None]
    try:
        async with asyncio.timeout(SECONDS):
            answers = iter(await renderer.render(sound) if sound else [])
    except TimeoutError:
        answers = iter([Rendered(problem=_SLOW)] * len(sound))
    return [
        PreviewRow(row.line, problem=row.problem) if row.values is None else _shown(row, next(answers))
        for row in rows
    ]


def _shown(row: Row, answer: Rendered) -> PreviewRow:
    texts = answer.texts and {name: text.strip() for name, text in answer.texts.items()}
    return PreviewRow(row.line, texts, answer.problem)


# --- the feed -------------------------------------------------------------------------------------


async def feed_of(
    store: ObjectStore,
    tenant: str,
    file_id: str,
    *,
    form: Format | None = None,
    encoding: Encoding = "auto",
    count: int = 5,
) -> Feed:
    """The columns and the first rows of an uploaded file; ``form`` None: find out what it is.

    Raises:
        InvalidInput: there is no such file, or it is none of that format; says what it looks like.
    """
    try:
        head = await store.start_of(file_key(tenant, file_id), HEAD_BYTES)
    except ObjectMissing:
        raise InvalidInput([("/manifest/file_id", no_file(file_id))]) from None
    return await asyncio.to_thread(read_feed, head, form, encoding, min(count, MOST_ROWS))


def read_feed(head: bytes, form: Format | None, encoding: Encoding, count: int) -> Feed:
    """The same, of a file's first bytes."""
    found = form or guessed(head, encoding)
    columns = check_head(head, found, encoding)
    return Feed(found, columns, _first_rows(head, found, encoding, count))


def guessed(head: bytes, encoding: Encoding = "auto") -> Format:
    """The format that a file is most likely of. A shop's export is read product by product."""
    for form in LIKELIEST:
        with suppress(InvalidInput):
            check_head(head, form, encoding)
            return form
    return "csv"


def _first_rows(head: bytes, form: Format, encoding: Encoding, count: int) -> list[Row]:
    """The first rows, without the one in which a longer file was cut off."""
    whole = len(head) < HEAD_BYTES
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="imagemill-preview-") as folder:
        path = Path(folder, "head")
        path.write_bytes(head)
        try:
            for row in islice(read_rows(path, form, encoding), count + 1):
                rows.append(row)  # noqa: PERF402 - those before a fault are kept
        except InvalidInput:
            if whole and not rows:
                raise
    if not whole and len(rows) <= count:
        rows = rows[:-1]
    return rows[:count]


def formats() -> Iterable[Format]:
    """All that a manifest can be."""
    found: tuple[Format, ...] = get_args(Format)
    return found


def sample(rows: Sequence[Row], characters: int = 200) -> dict[str, str]:
    """A value of each column that is worth showing: the first that is not empty."""
    found: dict[str, str] = {}
    for row in rows:
        for name, value in (row.values or {}).items():
            if name not in found and (text := _text(value)):
                found[name] = text if len(text) <= characters else text[: characters - 1] + "…"
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return "" if value is None or isinstance(value, dict) else " ".join(str(value).split())
