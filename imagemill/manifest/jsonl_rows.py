"""JSONL: an object a line."""

import json
from collections.abc import Iterator
from typing import Any, TextIO

from imagemill.manifest.rows import DEEPEST, LONGEST_ROW, Row, too_long


def jsonl_rows(text: TextIO) -> Iterator[Row]:
    """Every row; a line that is none has a problem."""
    for line, written in enumerate(_bounded_lines(text), start=1):
        if written is None:
            yield too_long(line)
        elif written.strip():
            yield _row(line, written)


def _row(line: int, written: str) -> Row:
    try:
        values = json.loads(written)
    except RecursionError:
        return Row(line, None, _TOO_DEEP)
    except ValueError:
        return Row(line, None, "is not JSON")
    if not isinstance(values, dict):
        return Row(line, None, "is JSON, but no object")
    if written.count("{") + written.count("[") > DEEPEST and _depth(values) > DEEPEST:
        return Row(line, None, _TOO_DEEP)
    if "\\u" in written and not _is_text(values):
        return Row(
            line, None, "holds half a character: a surrogate (\\ud800 to \\udfff) without its other half"
        )
    return Row(line, values, size=len(written))


_TOO_DEEP = f"has objects and lists in each other deeper than {DEEPEST}"


def _depth(value: Any) -> int:
    """How deep objects and lists lie in each other; stops beyond what is allowed."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        inner = [each for each in level if isinstance(each, dict | list)]
        depth += bool(inner)
        level = [part for each in inner for part in (each.values() if isinstance(each, dict) else each)]
    return depth


def _is_text(values: dict[str, Any]) -> bool:
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _bounded_lines(text: TextIO) -> Iterator[str | None]:
    """The lines of a file; None for one that is too long to hold."""
    while line := text.readline(LONGEST_ROW):
        if len(line) < LONGEST_ROW or line.endswith(("\n", "\r")):
            yield line
            continue
        while (rest := text.readline(LONGEST_ROW)) and not rest.endswith(("\n", "\r")):
            pass
        yield None
