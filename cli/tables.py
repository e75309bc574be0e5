"""Plain tables that fit a terminal of 80 columns."""

from collections.abc import Iterator, Sequence

from cli.errors import harmless

WIDTH = 80
GAP = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, text: int = 1) -> Iterator[str]:
    """The lines of a table. Its first `text` columns go to the left, numbers to the right.

    The first column is cut where the whole would be wider than 80.
    """
    cells = [[harmless(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    over = sum(widths) + len(GAP) * (len(widths) - 1) - WIDTH
    widths[0] = max(len(head[0]), widths[0] - max(0, over))
    for row in cells:
        padded = [
            _cut(cell, width).ljust(width) if number < text else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield GAP.join(padded).rstrip()


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"
