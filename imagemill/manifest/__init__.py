"""Rows of a manifest, one at a time, with the line that each begins on.

1. the bytes, unpacked where they are gzip (`source`);
2. the text, in its encoding (`text`);
3. rows of a CSV, of JSONL or of XML (`csv_rows`, `jsonl_rows`, `merchant`);
4. of a known feed, what its rows mean (`shopify`, `merchant`).

Nothing is held but the row that is read, and of a shop's export the product.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from imagemill.domain.errors import InvalidInput
from imagemill.domain.job import Encoding, Format
from imagemill.manifest import merchant, shopify
from imagemill.manifest.csv_rows import CsvRows, refuse_twins
from imagemill.manifest.jsonl_rows import jsonl_rows
from imagemill.manifest.rows import LONGEST_FIELD, LONGEST_ROW, Row
from imagemill.manifest.source import GZIP, open_bytes, unpack_head
from imagemill.manifest.text import decode_head, open_text, where_it_ends

__all__ = ["HEAD_BYTES", "LONGEST_FIELD", "LONGEST_ROW", "Row", "check_head", "read_rows"]

MOST_ROWS = 10_000_000
"""Also those that are not chosen are read and rendered, for hours."""
HEAD_BYTES = 256 * 1024
"""So much of a file must hold a CSV's header."""


def read_rows(path: Path, form: Format, encoding: Encoding = "auto") -> Iterator[Row]:
    """Every row of the file.

    Raises:
        InvalidInput: the file can't be read on; the place says from which line.
    """
    for number, row in enumerate(_rows(path, form, encoding), start=1):
        if number > MOST_ROWS:
            raise InvalidInput([(f"line {row.line}", f"a manifest may have {MOST_ROWS:,} rows; split it")])
        yield row


def _rows(path: Path, form: Format, encoding: Encoding) -> Iterator[Row]:
    if form == "merchant-xml":
        with open_bytes(path) as source:
            yield from merchant.xml_rows(source, encoding)
        return
    with open_text(path, encoding) as text:
        try:
            yield from jsonl_rows(text) if form == "jsonl" else _table_rows(text, form)
        except UnicodeDecodeError:
            raise where_it_ends(path, encoding) from None


def check_head(head: bytes, form: Format, encoding: Encoding = "auto") -> list[str] | None:
    """The columns of a file, from its first bytes; None where rows may have different ones.

    Raises:
        InvalidInput: it is no file of this format; says what it looks like.
    """
    whole = len(head) < HEAD_BYTES
    if head.startswith(GZIP):
        head, whole = unpack_head(head, HEAD_BYTES, whole=whole)
    if form == "merchant-xml":
        _check_not_empty(head.strip())
        merchant.check_xml(head, encoding, whole=whole)
        return None
    text = decode_head(head, encoding)
    _check_not_empty(text.strip())
    if form == "jsonl":
        _check_first_line(text, whole=whole)
        return None
    return _columns(text, form)


def _columns(text: str, form: Format) -> list[str]:
    """The columns that templates see."""
    if text.lstrip().startswith(("{", "[")):
        raise InvalidInput([("manifest", f"the file is said to be {_said(form)}, but looks like JSON")])
    if text.lstrip().startswith(("<?xml", "<rss", "<feed")):
        raise InvalidInput([("manifest", f"the file is said to be {_said(form)}, but looks like XML")])
    columns = _checked(CsvRows(io.StringIO(text, newline="")), form).columns
    match form:
        case "shopify-products":
            added: tuple[str, ...] = shopify.PRODUCT
        case "shopify-variants":
            added = shopify.VARIANT
        case "merchant-tsv":
            columns, added = merchant.header_names(columns), merchant.COLUMNS
        case _:
            added = ()
    return list(dict.fromkeys([*columns, *added]))


def _table_rows(text: TextIO, form: Format) -> Iterator[Row]:
    rows = _checked(CsvRows(text), form)
    match form:
        case "shopify-products":
            return shopify.products(rows)
        case "shopify-variants":
            return shopify.variants(rows)
        case "merchant-tsv":
            return merchant.table_rows(rows)
    return iter(rows)


def _checked(rows: CsvRows, form: Format) -> CsvRows:
    """The same rows, once their header is known to be one of this format."""
    if form == "merchant-tsv":
        merchant.check_columns(merchant.header_names(rows.columns), rows.header_line)
        return rows
    refuse_twins(rows.columns, rows.header_line)
    if form in ("shopify-products", "shopify-variants"):
        shopify.check_columns(rows.columns, rows.header_line)
    return rows


def _check_not_empty(text: str | bytes) -> None:
    if not text:
        raise InvalidInput([("manifest", "the file is empty")])


def _check_first_line(text: str, *, whole: bool) -> None:
    first = next(jsonl_rows(io.StringIO(text, newline="")))
    if first.problem and whole:
        raise InvalidInput([(f"line {first.line}", first.problem)])


def _said(form: Format) -> str:
    return "CSV" if form == "csv" else form
