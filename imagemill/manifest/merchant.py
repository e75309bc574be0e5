"""Merchant feeds, as search engines and marketplaces take them: a table with tabs, or RSS and Atom."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO
from xml.parsers import expat

from imagemill.domain.errors import InvalidInput
from imagemill.domain.job import Encoding
from imagemill.manifest.csv_rows import CsvRows
from imagemill.manifest.rows import LONGEST_ROW, Row, too_long
from imagemill.manifest.text import is_marked

TEXTS = (
    "id", "title", "description", "link", "image_link", "brand", "product_type", "google_product_category",
    "color", "material", "pattern", "size", "gender", "age_group", "condition", "availability", "price",
    "gtin", "mpn", "item_group_id",
)  # fmt: skip
"""Attributes that a row has in any case, empty where the feed says nothing."""
LISTS = ("additional_image_link",)
"""Attributes that are a list, even with one value or none."""
COLUMNS = (*TEXTS, *LISTS)

_ROOTS = {"rss", "feed", "RDF"}
_ITEMS = {"item", "entry"}
_GOOGLE = "http://base.google.com/ns/1.0"
_DEEPEST = 16
"""Tags within each other; a feed has six."""
_MOST_TAGS = 2_000
"""Tags of one item."""
_PIECE = 1 << 16

Value = str | dict[str, Any] | list[Any]


def blank() -> dict[str, Any]:
    """An item that says nothing."""
    return dict.fromkeys(TEXTS, "") | {name: [] for name in LISTS}


# --- tables --------------------------------------------------------------------------------------


def header_names(columns: Sequence[str]) -> list[str]:
    """The names of attributes: ``Image Link``, ``image-link`` and ``g:image_link`` are ``image_link``."""
    return [re.sub(r"[\s\-_]+", "_", re.sub(r"^g:", "", name.strip().lower())).strip("_") for name in columns]


def check_columns(names: Sequence[str], line: int = 1) -> None:
    """Raises InvalidInput where it is no merchant feed."""
    if "id" not in names:
        shown = ", ".join(repr(name[:40]) for name in names[:8])
        raise InvalidInput([(f"line {line}", f"a merchant feed has a column 'id'; this file has {shown}")])


def table_rows(rows: CsvRows) -> Iterator[Row]:
    """The rows of a table by their normalised names; columns of one name become a list."""
    names = header_names(rows.columns)
    for row, cells in rows.cells():
        if row.problem:
            yield row
            continue
        values = blank()
        for name, cell in zip(names, cells, strict=True):
            for part in cell.split(",") if name in LISTS else [cell]:
                _put(values, name, part.strip())
        yield Row(row.line, values, size=row.size)


def _put(values: dict[str, Any], name: str, value: Value) -> None:
    """Add a value; a second one makes a list of both."""
    known = values.get(name)
    if value == "" and known is not None:
        return
    if isinstance(known, list):
        known.append(value)
    elif known in (None, ""):
        values[name] = value
    else:
        values[name] = [known, value]


# --- XML -----------------------------------------------------------------------------------------


def xml_rows(source: BinaryIO, encoding: Encoding) -> Iterator[Row]:
    """Every item of a feed, whose size does not matter to the memory that this takes.

    Raises:
        InvalidInput: it can't be read on; the place says from which line.
    """
    piece = source.read(_PIECE)
    feed = _Feed(_told(piece, encoding))
    while piece:
        yield from feed.read(piece)
        piece = source.read(_PIECE)
    yield from feed.read(b"", final=True)


def check_xml(head: bytes, encoding: Encoding, *, whole: bool) -> None:
    """Raises InvalidInput where a file's first bytes are those of no feed."""
    feed = _Feed(_told(head, encoding))
    for _ in feed.read(head, final=whole):
        pass
    if not feed.begun:
        raise InvalidInput([("manifest", "the XML has no root within its first bytes")])


def _told(head: bytes, encoding: Encoding) -> str | None:
    """The encoding that wins over what the XML says of itself; a byte order mark wins over all."""
    return None if encoding == "auto" or is_marked(head) else encoding


class _Feed:
    """A feed as it is read. No document type and no entity of its own is taken: those are how XML bombs."""

    def __init__(self, encoding: str | None) -> None:
        self.begun = False
        self._parser = expat.ParserCreate(encoding, namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.DefaultHandler = self._other
        self._fed = 0
        self._depth = 0
        self._ready: list[Row] = []
        self._item: _Item | None = None

    def read(self, piece: bytes, *, final: bool = False) -> list[Row]:
        """The items that end within this piece."""
        self._ready = []
        try:
            self._parser.Parse(piece, final)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            raise self._refuse(f"the XML can't be read on from here: {what}", error.lineno) from None
        except (ValueError, LookupError):
            raise self._refuse("the encoding that the XML says it is in can't be read; use UTF-8") from None
        self._fed += len(piece)
        if self._fed - self._parser.CurrentByteIndex > LONGEST_ROW and not final:
            raise self._refuse(f"a tag or a comment has more than {LONGEST_ROW} bytes")
        return self._ready

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        space, _, local = name.rpartition(" ")
        if self._depth > _DEEPEST:
            raise self._refuse(f"has tags in each other deeper than {_DEEPEST}")
        if self._depth == 1:
            self._root(local)
        elif self._item:
            self._item.start(local, attributes, google=space == _GOOGLE)
        elif local in _ITEMS:
            self._item = _Item(self._parser.CurrentLineNumber)

    def _root(self, local: str) -> None:
        self.begun = True
        if local not in _ROOTS:
            raise self._refuse(f"the root of a merchant feed is rss or feed, not {local[:40]!r}")

    def _end(self, _: str) -> None:
        self._depth -= 1
        if self._item and self._item.end():
            self._ready.append(self._item.row())
            self._item = None

    def _text(self, text: str) -> None:
        if self._item:
            self._item.text(text)

    def _other(self, _: str) -> None:
        """Comments and instructions; without a handler their place would not be told."""

    def _doctype(self, *_: object) -> None:
        raise self._refuse("the XML has a document type (<!DOCTYPE …>), which is not taken; leave it out")

    def _refuse(self, problem: str, line: int | None = None) -> InvalidInput:
        return InvalidInput([(f"line {line or self._parser.CurrentLineNumber}", problem)])


class _Item:
    """One item as its tags come."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._tags: list[_Tag] = [_Tag("item", google=False)]
        self._size = 0
        self._count = 0

    @property
    def _kept(self) -> bool:
        return self._size <= LONGEST_ROW and self._count <= _MOST_TAGS

    def start(self, name: str, attributes: dict[str, str], *, google: bool) -> None:
        self._count += 1
        self._size += len(name)
        tag = _Tag(name, google=google)
        if name == "link" and attributes.get("rel", "alternate") == "alternate":
            address = attributes.get("href", "")  # as Atom has it
            self._size += len(address)
            if self._kept:
                tag.texts.append(address)
        self._tags.append(tag)

    def text(self, text: str) -> None:
        self._size += len(text)
        if self._kept:
            self._tags[-1].texts.append(text)

    def end(self) -> bool:
        """Close the innermost tag. Was it the item's own?"""
        if len(self._tags) == 1:
            return True
        tag = self._tags.pop()
        if self._kept:
            self._tags[-1].parts.append((tag.name, tag.value, tag.google))
        return False

    def row(self) -> Row:
        if self._size > LONGEST_ROW:
            return too_long(self._line)
        if not self._kept:
            return Row(self._line, None, f"has more than {_MOST_TAGS} tags")
        return Row(self._line, _values(self._tags[0].parts, blank()), size=self._size)


class _Tag:
    """A tag, and what it holds: text, or other tags."""

    def __init__(self, name: str, *, google: bool) -> None:
        self.name = name
        self.google = google
        self.texts: list[str] = []
        self.parts: list[tuple[str, Value, bool]] = []

    @property
    def value(self) -> Value:
        return _values(self.parts, {}) if self.parts else "".join(self.texts).strip()


def _values(parts: list[tuple[str, Value, bool]], values: dict[str, Any]) -> dict[str, Any]:
    """Tags by their names; where one is there with the feed's prefix, those without it say nothing new."""
    prefixed = {name for name, _, google in parts if google}
    for name, value, google in parts:
        if google or name not in prefixed:
            _put(values, name, value)
    return values
