"""Is a template sound? Asked at submission, before a row is read."""

from collections.abc import Iterable
from difflib import get_close_matches

from liquid.exceptions import LiquidError

from imagemill.templating.environment import TEMPLATE_CHARACTERS, make_environment

ROW = "row"
HINTS = 10
"""So many unknown columns of a template get a hint at what may be meant."""


def template_problems(
    text: str, *, columns: Iterable[str] | None = None, names: Iterable[str] = (ROW,)
) -> list[str]:
    """What is wrong with a template: its syntax, its filters, its names, its columns; empty if nothing.

    Args:
        text: the template.
        columns: the columns that ``row`` has; None where they differ from row to row.
        names: the variables that the template may use.
    """
    if len(text) > TEMPLATE_CHARACTERS:
        return [f"the template has {len(text)} characters; at most {TEMPLATE_CHARACTERS} are allowed"]
    environment = make_environment()
    try:
        analysis = environment.from_string(text).analyze()
    except (LiquidError, RecursionError) as error:
        return [f"not a Liquid template: {_first_line(error)}"]
    found = [
        f"unknown filter {name!r}{_near(name, environment.filters)}"
        for name in analysis.filters
        if name not in environment.filters
    ]
    known = list(names)
    for name, uses in analysis.globals.items():
        if name not in known:
            found.append(f"unknown variable {name!r}; a template can use {', '.join(known)}")
        elif name == ROW and columns is not None:
            found += _column_problems([use.segments for use in uses], list(columns))
    return found


def _column_problems(uses: list[object], columns: list[str]) -> list[str]:
    found: list[str] = []
    for segments in uses:
        column = segments[1] if isinstance(segments, list | tuple) and len(segments) > 1 else None
        if isinstance(column, str) and column not in columns:
            # Looking for a name that is near takes long among many columns.
            near = _near(column, columns) if len(found) < HINTS else ""
            found.append(f"there is no column {column!r}{near}")
    return list(dict.fromkeys(found))


def _near(name: str, known: Iterable[str]) -> str:
    matches = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
