"""Is a template sound? Asked at submission, before a row is read."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from liquid.exceptions import LiquidError

from imagemill.domain.schedules import RUN, RUN_FIELDS
from imagemill.templating.environment import TEMPLATE_CHARACTERS, make_environment

ROW = "row"
TAG_CHARACTERS = 1_000
"""A longer output or tag is refused."""
_CLOSING = {"{{": "}}", "{%": "%}"}
_OPENED = re.compile(r"\{[{%]")
HINTS = 10
"""So many unknown columns get a hint at what may be meant: looking for one takes long among many."""


class Hints:
    """How many hints may still be given, to all templates of a submission together."""

    def __init__(self, left: int = HINTS) -> None:
        self.left = left

    def near(self, name: str, known: Iterable[str]) -> str:
        """What may be meant by a name, in words; empty where nobody knows, or no more is to be said."""
        self.left -= 1
        return _near(name, known) if self.left >= 0 else ""


def template_problems(
    text: str,
    *,
    columns: Iterable[str] | None = None,
    names: Iterable[str] = (ROW,),
    hints: Hints | None = None,
) -> list[str]:
    """What is wrong with a template: its syntax, its filters, its names, its columns; empty if nothing.

    Args:
        text: the template.
        columns: the columns that ``row`` has; None where they differ from row to row.
        names: the variables that the template may use.
        hints: shared by several templates; None: this one has its own.
    """
    if len(text) > TEMPLATE_CHARACTERS:
        return [f"the template has {len(text)} characters; at most {TEMPLATE_CHARACTERS} are allowed"]
    if problem := _delimiter_problem(text):
        return [f"not a Liquid template: {problem}"]
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
        elif name == RUN:
            found += _run_problems([use.segments for use in uses])
        elif name == ROW and columns is not None:
            segments = [use.segments for use in uses]
            found += _column_problems(segments, dict.fromkeys(columns), hints or Hints())
    return found


def _run_problems(uses: Sequence[object]) -> list[str]:
    """``run`` has fields, and is none itself."""
    said = [
        segments[1] if isinstance(segments, list | tuple) and len(segments) > 1 else "" for segments in uses
    ]
    wrong = [field for field in said if field not in RUN_FIELDS]
    known = ", ".join(f"run.{field}" for field in RUN_FIELDS)
    return [
        f"there is no {f'run.{field}' if field else 'plain run'}; there are {known}"
        for field in dict.fromkeys(wrong)
    ]


def _delimiter_problem(text: str) -> str | None:
    """What is open or too long, found in one pass: the parser's own time grows with its square or cube."""
    place = 0
    while opened := _OPENED.search(text, place):
        closing = _CLOSING[opened[0]]
        end = text.find(closing, opened.end())
        if end < 0:
            return f"expected {closing!r}, found end of file"
        if end - opened.start() > TAG_CHARACTERS:
            return f"more than {TAG_CHARACTERS} characters between {opened[0]!r} and {closing!r}"
        place = end + len(closing)
    return None


def _column_problems(uses: Sequence[object], columns: Mapping[str, None], hints: Hints) -> list[str]:
    found: list[str] = []
    for segments in uses:
        column = segments[1] if isinstance(segments, list | tuple) and len(segments) > 1 else None
        if isinstance(column, str) and column not in columns:
            found.append(f"there is no column {column!r}{hints.near(column, columns)}")
    return list(dict.fromkeys(found))


def _near(name: str, known: Iterable[str]) -> str:
    matches = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
