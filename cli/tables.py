"""Plain tables that fit a terminal of 80 columns, or the narrower one that is there."""

import shutil
from collections.abc import Iterator, Sequence

from cli.errors import one_line

WIDTH = 80
GAP = "  "


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, text: int = 1, cut: int = 0
) -> Iterator[str]:
    """The lines of a table. Its first `text` columns go to the left, numbers to the right.

    The column `cut` is made narrower where the whole would be wider than 80, or than a narrower terminal.
    """
    cells = [[one_line(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    over = sum(widths) + len(GAP) * (len(widths) - 1) - _width()
    widths[cut] = max(len(head[cut]), widths[cut] - max(0, over))
    for row in cells:
        padded = [
            _cut(cell, width).ljust(width) if number < text else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield GAP.join(padded).rstrip()


def _width() -> int:
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"
