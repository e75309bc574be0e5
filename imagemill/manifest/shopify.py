"""The product CSV of the shop platform: rows that follow each other with one Handle are one product."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from imagemill.domain.errors import InvalidInput
from imagemill.manifest.rows import LONGEST_ROW, Row
from imagemill.seen import Seen

COLUMNS = ("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Image Src", "Variant SKU")
"""Columns that a row has in any case, empty where the file has none of that name."""

PRODUCT = (*COLUMNS, "images", "variants")
VARIANT = (*COLUMNS, "images", "options")

POSITION = re.compile(r"[0-9]{1,6}")
"""Of an image among those of its product."""
_OPTIONS = ("Option1", "Option2", "Option3")
_TELLS_A_VARIANT = ("Option1 Value", "Option2 Value", "Option3 Value", "Variant SKU", "Variant Price")
_NO_OPTION = "Default Title"
"""What the platform writes for the only variant of a product without options."""


def check_columns(columns: Sequence[str], line: int = 1) -> None:
    """Raises InvalidInput where it is no export of products."""
    if "Handle" not in columns:
        raise InvalidInput([(f"line {line}", f"a product export has a column 'Handle'; {_here(columns)}")])


def products(rows: Iterable[Row]) -> Iterator[Row]:
    """One row a product: the columns of its first row, its images and its variants."""
    for group in _groups(rows):
        if isinstance(group, Row):
            yield group
        else:
            yield _product(group)


def variants(rows: Iterable[Row]) -> Iterator[Row]:
    """One row a variant, with what only the product's first row says filled in."""
    for group in _groups(rows):
        if isinstance(group, Row):
            yield group
        else:
            yield from _variants(group)


# --- groups --------------------------------------------------------------------------------------


def _groups(rows: Iterable[Row]) -> Iterator[list[Row] | Row]:
    """The rows of each product, or one row that says what is wrong with them."""
    with Seen() as seen:
        group = _Group("", 0)
        for row in rows:
            handle = row.values["Handle"].strip() if row.values is not None else ""
            if row.values is None:
                yield row
            elif not handle:
                yield Row(row.line, None, "the Handle is empty")
            elif handle == group.handle:
                group.add(row)
            else:
                yield from group.told()
                group = _Group(handle, row.line, before=seen.first_line(handle, row.line))
                group.add(row)
        yield from group.told()


class _Group:
    """The rows of a product as they come; of one that can't be, only where it began is kept."""

    def __init__(self, handle: str, line: int, before: int | None = None) -> None:
        self.handle = handle
        self._line = line
        self._before = before
        self._rows: list[Row] = []
        self._size = 0

    def add(self, row: Row) -> None:
        self._size += row.size + 100  # empty cells take memory, too
        if self._before is None and self._size <= LONGEST_ROW:
            self._rows.append(row)

    def told(self) -> Iterator[list[Row] | Row]:
        if self._before is not None:
            yield Row(
                self._line,
                None,
                f"the product {self.handle[:256]!r} was listed before, on line {self._before}; the rows of a "
                "product must follow each other",
            )
        elif self._size > LONGEST_ROW:
            yield Row(self._line, None, f"the rows of this product have more than {LONGEST_ROW} characters")
        elif self._rows:
            yield self._rows


# --- what is made of them ------------------------------------------------------------------------


def _product(group: list[Row]) -> Row:
    first = _columns(group[0])
    told = [_option_names(first) | _of_variant(_columns(row)) for row in group if _is_variant(row)]
    values = dict.fromkeys(COLUMNS, "") | first | {"images": _images(group), "variants": told}
    return Row(group[0].line, values, size=sum(row.size for row in group))


def _variants(group: list[Row]) -> Iterator[Row]:
    first, images = _columns(group[0]), _images(group)
    for number, row in enumerate(group):
        if number and not _is_variant(row):
            continue  # a row that only carries an image
        own = {name: cell for name, cell in _columns(row).items() if cell or _is_own(name)}
        values = dict.fromkeys(COLUMNS, "") | first | own
        values |= {"images": images, "options": _option_values(values)}
        yield Row(row.line, values, size=row.size + sum(map(len, images)))


def _columns(row: Row) -> dict[str, Any]:
    return row.values or {}


def _is_variant(row: Row) -> bool:
    return any(_columns(row).get(name) for name in _TELLS_A_VARIANT)


def _is_own(name: str) -> bool:
    """Is this a column of the variant, which is not the product's where it is empty?"""
    return name.startswith("Variant ") or name.endswith(" Value")


def _of_variant(columns: dict[str, Any]) -> dict[str, Any]:
    return {
        name: cell
        for name, cell in columns.items()
        if name.startswith("Variant ") or (name.startswith(_OPTIONS) and (cell or _is_own(name)))
    }


def _option_names(first: dict[str, Any]) -> dict[str, Any]:
    names = (f"{option} Name" for option in _OPTIONS)
    return {name: first[name] for name in names if name in first}


def _option_values(columns: dict[str, Any]) -> list[str]:
    values = (columns.get(f"{option} Value", "") for option in _OPTIONS)
    return [value for value in values if value and value != _NO_OPTION]


def _images(group: list[Row]) -> list[str]:
    """The addresses of a product's images, each once, by their positions, else as they come."""
    found: dict[str, int] = {}
    for row in group:
        columns = _columns(row)
        if address := columns.get("Image Src"):
            position = str(columns.get("Image Position") or "")
            found.setdefault(address, int(position) if POSITION.fullmatch(position) else 0)
    return sorted(found, key=found.__getitem__)


def _here(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in columns[:8])
    return f"this file has {shown}{' …' if len(columns) > 8 else ''}"
