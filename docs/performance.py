"""What was measured, in the page of performance: tables and plots of results that benchmarks have left.

The page is written by hand, but for what stands between markers: ``<!-- results NAME -->`` gets the results
of a benchmark, from its file in `KEPT`; ``<!-- results targets -->`` gets all figures that have a target.
Each curve is a picture beside the page. A picture carries a digest of what it was drawn from, since the same
numbers need not make the same bytes with every version of the library that draws.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.plots import digest, draw

Json = dict[str, Any]

PAGE = "docs/reference/performance.md"
PLOTS = "docs/reference/performance"
KEPT = "benchmarks/kept"
TARGETS = "targets"
AXES = {"planning": "rows", "workers": "worker processes"}
"""What the places on a benchmark's curves are; of all others they are items."""

_BLOCK = re.compile(r"(<!-- results (?P<name>[a-z0-9_-]+) -->\n).*?(<!-- end of results -->)", re.DOTALL)
_TARGET = re.compile(r"^(?P<side>[≤≥<>]) ?(?P<bound>[\d,.]+)")
_STALE = "is out of date; run python -m docs.build"


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure of a benchmark by its places: cases, and the rows of each from the first place on."""

    name: str
    figure: str
    unit: str
    axis: str
    cases: Mapping[str, Sequence[Json]]

    @property
    def picture(self) -> str | None:
        """Its path from the root; None: a single place makes no curve."""
        return f"{PLOTS}/{self.name}.svg" if len(self.places) > 1 else None

    @property
    def places(self) -> list[float]:
        """Wherever one of the cases was measured."""
        return sorted({row["at"] for rows in self.cases.values() for row in rows})


def stale_results(root: Path) -> list[str]:
    """Are page and pictures what the kept results make of them, and is every kept result shown?"""
    page = root / PAGE
    if not page.exists():
        return []
    text, kept = page.read_text(encoding="utf-8"), kept_results(root)
    shown = {block["name"] for block in _BLOCK.finditer(text)}
    problems = [f"{PAGE}: has no place for the results of {name}" for name in kept if name not in shown]
    if text != _filled(text, kept):
        problems.append(f"{PAGE}: {_STALE}")
    return problems + [f"{path.relative_to(root)}: {_STALE}" for path, _ in _stale_pictures(root, kept)]


def write_results(root: Path) -> None:
    """Fill the page from the kept results, and draw the pictures that are out of date."""
    page = root / PAGE
    if not page.exists():
        return
    kept = kept_results(root)
    page.write_text(_filled(page.read_text(encoding="utf-8"), kept), encoding="utf-8")
    for path, curve in _stale_pictures(root, kept):
        path.parent.mkdir(exist_ok=True)
        path.write_text(draw(curve), encoding="utf-8")


def kept_results(root: Path) -> dict[str, Json]:
    """The kept results, by benchmark."""
    files = sorted((root / KEPT).glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def curves(name: str, result: Json) -> list[Curve]:
    """Those of one benchmark, in the order of its rows."""
    found: dict[str, dict[str, list[Json]]] = {}
    units: dict[str, str] = {}
    for row in result["rows"]:
        if row["at"] is not None:
            units.setdefault(row["figure"], row["unit"])
            found.setdefault(row["figure"], {}).setdefault(row["case"], []).append(row)
    axis = AXES.get(name, "items")
    return [
        Curve(f"{name}-{_slug(figure)}", figure, units[figure], axis, _in_order(cases))
        for figure, cases in found.items()
    ]


def results_block(name: str, result: Json | None) -> str:
    """One benchmark as a reader sees it."""
    if result is None:
        return "Not measured yet."
    single = [row for row in result["rows"] if row["at"] is None]
    parts = [_whence(result), _singles(single) if single else ""]
    return "\n\n".join([*filter(None, parts), *map(_curve, curves(name, result))])


def targets_block(kept: Mapping[str, Json]) -> str:
    """All figures that have a target, of all benchmarks."""
    rows = [
        (_named(row) + _at(name, row), row["case"], row["target"], _value(row), _verdict(row))
        for name, result in kept.items()
        for row in result["rows"]
        if row["target"]
    ]
    if not rows:
        return "Nothing that has a target has been measured yet."
    return _table(("figure", "of", "target", "measured", "met"), rows)


def is_met(target: str, value: float) -> bool | None:
    """Does a value keep within a target such as ``≥ 1.1``? None: the target is not of that kind."""
    match = _TARGET.match(target)
    if match is None:
        return None
    bound, side = float(match["bound"].replace(",", "")), match["side"]
    judges: Mapping[str, Callable[[], bool]] = {
        "≤": lambda: value <= bound,
        "≥": lambda: value >= bound,
        "<": lambda: value < bound,
        ">": lambda: value > bound,
    }
    return judges[side]()


def shown(value: float) -> str:
    """A number with three digits or so."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def _filled(text: str, kept: Mapping[str, Json]) -> str:
    def fill(block: re.Match[str]) -> str:
        name = block["name"]
        content = targets_block(kept) if name == TARGETS else results_block(name, kept.get(name))
        return f"{block[1]}\n{content}\n\n{block[3]}"

    return _BLOCK.sub(fill, text)


def _stale_pictures(root: Path, kept: Mapping[str, Json]) -> list[tuple[Path, Curve]]:
    found = [curve for name, result in kept.items() for curve in curves(name, result)]
    pictures = [(root / curve.picture, curve) for curve in found if curve.picture]
    return [
        (path, curve)
        for path, curve in pictures
        if not path.exists() or digest(curve) not in path.read_text(encoding="utf-8")
    ]


def _whence(result: Json) -> str:
    machine, versions = result["machine"], result["versions"]
    changed = " with changes" if result.get("changed") else ""
    programs = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Measured on {result['date']} at commit `{result['commit']}`{changed}: {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, "
        f"load of the last minute {machine['load']}; {programs}."
    )


def _singles(rows: Iterable[Json]) -> str:
    lines = [(_named(row), row["case"], _value(row), str(row["count"]), row["target"]) for row in rows]
    return _table(("figure", "of", "median (least to most)", "times", "target"), lines)


def _curve(curve: Curve) -> str:
    title = curve.figure + (f", {curve.unit}" if curve.unit else "")
    by_place = {case: {row["at"]: row for row in rows} for case, rows in curve.cases.items()}
    lines = [
        (shown(at), *(_value(rows[at]) if at in rows else "" for rows in by_place.values()))
        for at in curve.places
    ]
    table = f"{title}:\n\n{_table((curve.axis, *curve.cases), lines)}"
    if curve.picture is None:
        return table
    alt = f"{title}, by {curve.axis}: {', '.join(curve.cases)}; the numbers are in the table below"
    return f"![{alt}]({Path(curve.picture).relative_to(Path(PAGE).parent)})\n\n{table}"


def _in_order(cases: Mapping[str, list[Json]]) -> dict[str, list[Json]]:
    return {case: sorted(rows, key=lambda row: row["at"]) for case, rows in cases.items()}


def _named(row: Json) -> str:
    return f"{row['figure']}, {row['unit']}" if row["unit"] else str(row["figure"])


def _at(name: str, row: Json) -> str:
    return "" if row["at"] is None else f", at {shown(row['at'])} {AXES.get(name, 'items')}"


def _value(row: Json) -> str:
    if row["least"] == row["most"]:
        return shown(row["median"])
    return f"{shown(row['median'])} ({shown(row['least'])} to {shown(row['most'])})"


def _verdict(row: Json) -> str:
    return {True: "yes", False: "**no**", None: ""}[is_met(row["target"], row["median"])]


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
