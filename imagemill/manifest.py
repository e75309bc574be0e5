"""Rows of a manifest, one at a time, with the line that each begins on."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from imagemill.domain.errors import InvalidInput

LONGEST_FIELD = 1_000_000
LONGEST_ROW = 4_000_000
HEAD_BYTES = 256 * 1024
"""So much of a file must hold a CSV's header."""

Format = Literal["csv", "jsonl"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its columns, or why it has none."""

    line: int
    values: dict[str, Any] | None
    problem: str | None = None
    size: int = field(default=0, compare=False)
    """Characters."""


def read_rows(path: Path, form: Format) -> Iterator[Row]:
    """Every row of the file.

    Raises:
        InvalidInput: the file can't be read on; the place says from which line.
    """
    with path.open(encoding="utf-8-sig", newline="") as text:
        try:
            yield from _csv_rows(text) if form == "csv" else _jsonl_rows(text)
        except UnicodeDecodeError as error:
            raise InvalidInput([("manifest", f"is not UTF-8 text ({error.reason})")]) from None


def check_head(head: bytes, form: Format) -> list[str] | None:
    """The columns of a file, from its first bytes; None for JSONL, whose rows may differ.

    Raises:
        InvalidInput: it is no file of this format; says what it looks like.
    """
    text = _decode(head)
    if not text.strip():
        raise InvalidInput([("manifest", "the file is empty")])
    if form == "jsonl":
        first = next(_jsonl_rows(io.StringIO(text)))
        if first.problem and len(head) < HEAD_BYTES:
            raise InvalidInput([(f"line {first.line}", first.problem)])
        return None
    if text.lstrip().startswith(("{", "[")):
        raise InvalidInput([("manifest", "the file is said to be CSV, but looks like JSON")])
    columns, _ = _header(io.StringIO(text))
    return columns


def _decode(head: bytes) -> str:
    kinds = {
        b"PK\x03\x04": "a zip or spreadsheet file",
        b"\x1f\x8b": "gzip",
        b"\x89PNG": "a PNG image",
        b"%PDF": "a PDF",
    }
    for magic, name in kinds.items():
        if head.startswith(magic):
            raise InvalidInput([("manifest", f"the file is not text but {name}")])
    if b"\0" in head:
        raise InvalidInput([("manifest", "the file is not UTF-8 text (it holds zero bytes)")])
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 4:  # cut in mid-character
            return head[: error.start].decode("utf-8-sig")
        line = head.count(b"\n", 0, error.start) + 1
        raise InvalidInput([(f"line {line}", "is not UTF-8 text; save the file as UTF-8")]) from None


def _header(text: TextIO) -> tuple[list[str], Any]:
    csv.field_size_limit(LONGEST_FIELD)
    first = text.readline()
    text.seek(0)
    delimiter = max(",;\t|", key=first.count)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        columns = next(reader)
    except (csv.Error, StopIteration):
        raise InvalidInput([("line 1", "is no CSV header")]) from None
    seen: set[str] = set()
    twice = [name for name in columns if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    if twice:
        raise InvalidInput([("line 1", f"two columns have the name {twice[0]!r}")])
    return columns, reader


def _csv_rows(text: TextIO) -> Iterator[Row]:
    columns, reader = _header(text)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidInput([(f"line {line}", f"the CSV can't be read on from here: {error}")]) from None
        if not cells:
            continue  # an empty line
        if len(cells) != len(columns):
            problem = f"has {len(cells)} cells where the header has {len(columns)}"
            yield Row(line, None, problem)
        else:
            size = sum(len(cell) for cell in cells)
            if size > LONGEST_ROW:
                yield Row(line, None, f"has {size} characters; at most {LONGEST_ROW} are allowed")
            else:
                yield Row(line, dict(zip(columns, cells, strict=True)), size=size)


def _jsonl_rows(text: TextIO) -> Iterator[Row]:
    for line, written in enumerate(_bounded_lines(text), start=1):
        if written is None:
            yield Row(line, None, f"has more than {LONGEST_ROW} characters")
            continue
        if not written.strip():
            continue
        try:
            values = json.loads(written)
        except (ValueError, RecursionError):
            yield Row(line, None, "is not JSON")
            continue
        if isinstance(values, dict):
            yield Row(line, values, size=len(written))
        else:
            yield Row(line, None, "is JSON, but no object")


def _bounded_lines(text: TextIO) -> Iterator[str | None]:
    """The lines of a file; None for one that is too long to hold."""
    while line := text.readline(LONGEST_ROW):
        if len(line) < LONGEST_ROW or line.endswith("\n"):
            yield line
            continue
        while (rest := text.readline(LONGEST_ROW)) and not rest.endswith("\n"):
            pass
        yield None
