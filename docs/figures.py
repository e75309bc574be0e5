"""The figures of the last full run of `make chaos`, in the page of what is guaranteed.

They stand between two markers in a page that is otherwise written by hand.
"""

import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]

PAGE = "docs/concepts/guarantees.md"
FIGURES = "tests/chaos/figures.json"
BEGIN, END = "<!-- figures: `python -m docs.build` -->", "<!-- end of figures -->"
COUNTS = {
    "runs": "runs",
    "kills": "processes killed",
    "jobs": "jobs",
    "items": "items",
    "calls_billed": "calls that the provider billed",
    "calls_refused": "calls that it refused",
    "write_offs": "calls written off",
    "judged": "judgements",
    "undecided": "of these, that could not be made",
    "violations": "violations",
}
"""What the page calls each figure, in its order."""


def stale_figures(root: Path) -> list[str]:
    """Is the block on the page what the kept figures make of it?"""
    page = root / PAGE
    if not page.exists():
        return []
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        return [f"{PAGE}: has no place for the figures, between {BEGIN} and {END}"]
    return [] if text == _filled(root, text) else [f"{PAGE}: is out of date; run python -m docs.build"]


def write_figures(root: Path) -> None:
    """Put the kept figures on the page, where it has a place for them."""
    page = root / PAGE
    if page.exists() and BEGIN in (text := page.read_text(encoding="utf-8")):
        page.write_text(_filled(root, text), encoding="utf-8")


def _filled(root: Path, text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    kept = root / FIGURES
    block = figures_block(json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else None)
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{rest.partition(END)[2]}"


def figures_block(figures: Json | None) -> str:
    """The figures as a reader sees them."""
    if figures is None:
        return "No full run has been kept yet."
    intro = (
        f"The last full run, of {figures['day']} at commit `{figures['commit']}`: "
        f"{figures['runs']:,} runs with {figures['seeds']:,} seeds, {figures['minutes']:,} minutes in all; "
        f"{figures['isolated']:,} of the runs in a network of their own."
    )
    counts = [(title, f"{_sum(figures[name]):,}") for name, title in COUNTS.items()]
    faults = [(f"`{kind}`", f"{count:,}") for kind, count in figures["faults"].items()]
    parts = [intro, _table(("what", "how many"), counts), _table(("fault", "times"), faults)]
    return "\n\n".join([*parts, *map(_soak, figures.get("soaks", []))])


def _soak(soak: Json) -> str:
    orphans = ", ".join(f"{count:,} `{kind}`" for kind, count in soak["orphans"].items()) or "none"
    return (
        f"The soak: {soak['minutes']:,} minutes, {soak['jobs']:,} jobs, {soak['items']:,} items; "
        f"{soak['violations']} violations, {soak['objections']} things that were not flat. The longest "
        f"history of a run had {soak['longest_history']:,} events. Objects that nothing names: {orphans}."
    )


def _sum(figure: int | dict[str, int]) -> int:
    return figure if isinstance(figure, int) else sum(figure.values())


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
