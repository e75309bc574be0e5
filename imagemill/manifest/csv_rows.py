"""CSV as spreadsheets and shops write it."""

import csv
from collections.abc import Iterator
from typing import TextIO

from imagemill.domain.errors import InvalidInput
from imagemill.manifest.rows import LONGEST_FIELD, LONGEST_ROW, MOST_COLUMNS, MOST_HELD, Row

DELIMITERS = ",;\t|"


class CsvRows:
    """The rows of a CSV, and before them its columns.

    Attributes:
        columns: the names in the header, which may have twins.
        header_line: where the header begins.

    Raises:
        InvalidInput: it has no header that can be used.
    """

    def __init__(self, text: TextIO) -> None:
        csv.field_size_limit(LONGEST_FIELD)
        self._lines = _BoundedLines(text)
        first = self._lines.peek()
        self._skipped = 0
        delimiter = _said_delimiter(first)
        if delimiter:
            next(self._lines)
            self._skipped = 1
        else:
            delimiter = max(DELIMITERS, key=first.count)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self.header_line = self._line
        self.columns = self._header()

    def __iter__(self) -> Iterator[Row]:
        """Every row.

        Raises:
            InvalidInput: it can't be read on; the place says from which line.
        """
        for row, cells in self.cells():
            if row.problem:
                yield row
            else:
                yield Row(row.line, dict(zip(self.columns, cells, strict=True)), size=row.size)

    def cells(self) -> Iterator[tuple[Row, list[str]]]:
        """Every row with its cells in the order of the columns, where they are sound; raises likewise."""
        while True:
            line = self._line
            cells = self._next(line)
            if cells is None:
                return
            if cells:  # else an empty line
                yield self._checked(line, cells), cells

    @property
    def _line(self) -> int:
        return self._reader.line_num + self._skipped + 1

    def _header(self) -> list[str]:
        line = self._line
        try:
            columns = next(self._reader)
        except (csv.Error, StopIteration):
            columns = []
        if not columns:
            raise InvalidInput([(f"line {line}", "is no CSV header")])
        if len(columns) > MOST_COLUMNS:
            problem = f"has {len(columns)} columns; at most {MOST_COLUMNS} are allowed"
            raise InvalidInput([(f"line {line}", problem)])
        return columns

    def _next(self, line: int) -> list[str] | None:
        self._lines.held = 0
        try:
            return next(self._reader)
        except StopIteration:
            return None
        except csv.Error as error:
            raise InvalidInput([(f"line {line}", f"the CSV can't be read on from here: {error}")]) from None
        except _TooMuch:
            problem = f"the CSV can't be read on from here: the row has more than {MOST_HELD} characters"
            raise InvalidInput([(f"line {line}", problem)]) from None

    def _checked(self, line: int, cells: list[str]) -> Row:
        if len(cells) != len(self.columns):
            return Row(line, None, f"has {len(cells)} cells where the header has {len(self.columns)}")
        size = sum(map(len, cells))
        if size > LONGEST_ROW:
            return Row(line, None, f"has {size} characters; at most {LONGEST_ROW} are allowed")
        return Row(line, None, size=size)


def refuse_twins(columns: list[str], line: int = 1) -> None:
    """Two columns of the same name can't be told apart. Raises InvalidInput."""
    seen: set[str] = set()
    for name in columns:
        if name in seen:
            raise InvalidInput([(f"line {line}", f"two columns have the name {name!r}")])
        seen.add(name)


def _said_delimiter(first: str) -> str | None:
    """What a first line such as ``sep=;`` says, which spreadsheets write for each other."""
    said = first.rstrip("\r\n")
    return said[4] if len(said) == 5 and said[:4].lower() == "sep=" and said[4] not in '" ' else None


class _TooMuch(Exception):
    pass


class _BoundedLines:
    """The lines of a text; raises where one row takes more of them than can be held."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._kept: str | None = None
        self.held = 0

    def peek(self) -> str:
        """The first line, which comes again."""
        self._kept = self._text.readline(MOST_HELD)
        return self._kept

    def __iter__(self) -> "_BoundedLines":
        return self

    def __next__(self) -> str:
        line, self._kept = self._kept, None
        if line is None:
            line = self._text.readline(MOST_HELD)
        if not line:
            raise StopIteration
        self.held += len(line)
        if self.held >= MOST_HELD:
            raise _TooMuch
        return line
