"""What a manifest gives: rows, each with the line that it begins on."""

from dataclasses import dataclass, field
from typing import Any

LONGEST_FIELD = 1_000_000
LONGEST_ROW = 4_000_000
MOST_HELD = 4 * LONGEST_ROW
"""So many characters of one row are held to find where it ends; what is longer ends the reading."""
MOST_COLUMNS = 2_000
DEEPEST = 64
"""Objects and lists within each other, in one row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its columns, or why it has none."""

    line: int
    values: dict[str, Any] | None
    problem: str | None = None
    size: int = field(default=0, compare=False)
    """Characters."""


def too_long(line: int) -> Row:
    """A row of which nothing is kept."""
    return Row(line, None, f"has more than {LONGEST_ROW} characters")
