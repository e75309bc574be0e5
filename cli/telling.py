"""Answers on standard output: lines for people, or JSON for programs, and nothing else there."""

import codecs
import json as json_text
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Annotated, Any

import typer

from cli.errors import CliError, harmless, one_line
from cli.running import whisper
from cli.tables import table

AsJson = Annotated[bool, typer.Option("--json", help="Print the service's own answer as JSON.")]
AsLines = Annotated[bool, typer.Option("--json", help="Print JSON, an entry a line.")]
Most = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]
All = Annotated[bool, typer.Option("--all", help="All of them, however many.")]
Row = Callable[[dict[str, Any]], Sequence[str]]


def tell(document: dict[str, Any], lines: Iterable[str], *, json: bool) -> None:
    """Prints an answer: as it came, or in words."""
    if json:
        print_json(document)
        return
    for line in lines:
        typer.echo(harmless(line))


def print_json(document: dict[str, Any]) -> None:
    """One JSON document: spread out on a terminal, in one line elsewhere."""
    terminal = sys.stdout.isatty()
    text = json_text.dumps(document, ensure_ascii=terminal, indent=2 if terminal else None)
    typer.echo(text)


def print_line(document: dict[str, Any]) -> None:
    """One of several JSON documents, in its own line; at once, since a pipe is read meanwhile."""
    typer.echo(json_text.dumps(document, ensure_ascii=sys.stdout.isatty()))
    sys.stdout.flush()


async def pour(pieces: AsyncIterator[bytes]) -> None:
    """Prints a long answer as it comes; on a terminal, without what could steer it."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    async for piece in pieces:
        if sys.stdout.isatty():
            typer.echo(harmless(decode(piece).replace("\r", "")), nl=False)
        else:
            sys.stdout.buffer.write(piece)
    sys.stdout.flush()


async def tell_list(
    entries: AsyncIterator[dict[str, Any]],
    head: Sequence[str],
    row: Row,
    *,
    json: bool,
    text: int,
    none: str,
    cut: int = 0,
) -> int:
    """Prints a list: an entry a line, or a table with `text` columns of words; returns how many there are.

    Args:
        entries: as the service lists them.
        head: over the columns.
        row: the cells of an entry.
        json: print the entries as they came.
        text: so many columns are words, the others numbers.
        none: said on standard error if there is nothing.
        cut: the column that is made narrower on a narrow terminal.
    """
    rows, count = [], 0
    async for entry in entries:
        count += 1
        if json:
            print_line(entry)
        else:
            rows.append(_cells(row, entry))
    if rows:
        for line in table(head, rows, text=text, cut=cut):
            typer.echo(line)
    if not count:
        whisper(none)
    return count


def _cells(row: Row, entry: dict[str, Any]) -> Sequence[str]:
    try:
        return row(entry)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        raise CliError("What was listed is not what Imagemill lists; is the address right?") from None


def facts(rows: Iterable[tuple[str, object]]) -> list[str]:
    """Names and values, a line each; values that are nothing are left out."""
    said = [(name, str(value)) for name, value in rows if value not in (None, "")]
    width = max((len(name) for name, _ in said), default=0) + 2
    return [one_line(f"{name:<{width}}{value}") for name, value in said]
