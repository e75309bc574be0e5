"""Cells of CSV exports, such that a spreadsheet shows them and runs none of them."""

import csv
import io
import unicodedata
from collections.abc import Sequence

_SIGNS = ("=", "+", "-", "@")
_STARTS = (*_SIGNS, "\t", "\r", "\n")


def line(cells: Sequence[str]) -> str:
    """A line of CSV."""
    text = io.StringIO()
    csv.writer(text).writerow([inert(cell) for cell in cells])
    return text.getvalue()


def inert(cell: str) -> str:
    """Text that no spreadsheet takes for a formula; where it might, a ``'`` goes before it.

    A program may take full-width signs for the plain ones and pass over space and invisible characters, and
    one that does not understand line breaks within a cell begins a new one there: so each line is looked at.
    A negative number gets the ``'`` too, since only text is given to this: sums of money have no sign.
    """
    first, *others = cell.splitlines(keepends=True) or [""]
    marked = [f"'{first}" if _begins(first, _STARTS) else first]
    return "".join([*marked, *(f"'{part}" if _begins(part, _SIGNS) else part for part in others)])


def _begins(text: str, starts: tuple[str, ...]) -> bool:
    plain = unicodedata.normalize("NFKC", text)
    return plain.startswith(starts) or _visible(plain).startswith(_SIGNS)


def _visible(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c)[0] not in "CZ")
