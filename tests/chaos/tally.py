"""Adds up the verdicts of many runs.

    python -m tests.chaos.tally DIR… [--keep-figures]

Prints a table of all verdicts below the folders. With `--keep-figures` it writes `figures.json` beside this
file, which docs/concepts/guarantees.md shows. Ends with 0 if nothing was violated and there is a verdict.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]

FIGURES = Path(__file__).parent / "figures.json"
SUMS = ("jobs", "items", "calls_billed", "calls_refused", "write_offs", "kills")
"""Figures of a verdict that add up."""
TITLES = {
    "runs": "runs",
    "seeds": "seeds",
    "isolated": "runs in a network of their own",
    "minutes": "minutes",
    "jobs": "jobs",
    "items": "items",
    "calls_billed": "calls billed",
    "calls_refused": "calls refused by the provider",
    "write_offs": "write-offs",
    "kills": "kills",
    "judged": "judgements",
    "undecided": "undecided",
    "violations": "violations",
}
"""What a table calls them, in its order."""


def verdicts(folders: Iterable[Path]) -> Iterator[Json]:
    """Every verdict below the folders, whatever its file is called."""
    for folder in folders:
        for path in sorted(folder.rglob("*.json")):
            content = _read(path)
            if isinstance(content, dict) and {"violations", "undecided", "figures"} <= content.keys():
                yield content


def soaks(folders: Iterable[Path]) -> Iterator[Json]:
    """What was said of each soak below the folders."""
    for folder in folders:
        yield from (_read(path) for path in sorted(folder.rglob("soak.json")))


def add_up(found: Iterable[Json]) -> Json:
    """The figures of all runs."""
    runs = list(found)
    figures = [run["figures"] for run in runs]
    return {
        "runs": len(runs),
        "seeds": len({each.get("seed") for each in figures}),
        "isolated": sum(bool(each.get("network_isolated")) for each in figures),
        "minutes": round(sum(each.get("seconds", 0.0) for each in figures) / 60),
        **{name: sum(each.get(name, 0) for each in figures) for name in SUMS},
        "faults": _counted(each.get("faults", {}) for each in figures),
        "judged": _counted(run.get("judged", {}) for run in runs),
        "undecided": _counted(run["undecided"] for run in runs),
        "violations": _counted(Counter(each["invariant"] for each in run["violations"]) for run in runs),
    }


def _counted(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in several:
        total.update(each)
    return dict(sorted(total.items()))


def table(figures: Json) -> str:
    """What a person reads: a line a figure, faults by kind, and what was violated or could not be judged."""
    lines = [(title, _sum(figures[name])) for name, title in TITLES.items()]
    lines += [(f"  fault {kind}", count) for kind, count in figures["faults"].items()]
    lines += [(f"  undecided, {why}", count) for why, count in figures["undecided"].items()]
    lines += [(f"  violated, {name}", count) for name, count in figures["violations"].items()]
    width = max(len(title) for title, _ in lines)
    return "\n".join(f"{title:<{width}}  {count:>10,}" for title, count in lines)


def _sum(figure: int | Mapping[str, int]) -> int:
    return figure if isinstance(figure, int) else sum(figure.values())


def keep(figures: Json, told: Iterable[Json], path: Path = FIGURES) -> None:
    """Write down the figures, of which commit and day they are, and what was said of soaks."""
    path.write_text(json.dumps({**_whence(), **figures, "soaks": [*map(_soak, told)]}, indent=1) + "\n")


def _whence() -> Json:
    commit = subprocess.run(
        ("git", "rev-parse", "--short", "HEAD"),
        capture_output=True,
        text=True,
        check=False,
        cwd=FIGURES.parent,
    )
    return {"day": str(datetime.now(UTC).date()), "commit": commit.stdout.strip()}


def _soak(said: Json) -> Json:
    figures = said["figures"]
    return {
        "minutes": round(figures.get("seconds", 0.0) / 60),
        "jobs": figures.get("jobs", 0),
        "items": figures.get("items", 0),
        "violations": len(said["violations"]),
        "objections": len(said["objections"]),
        "longest_history": max((each["events"] for each in figures["histories"].values()), default=0),
        "orphans": figures["orphans"],
        "growths": {
            f"{growth['part']} {growth['measure']}": [growth["level"], growth["growth"]]
            for growth in figures["growths"]
        },
    }


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def main(arguments: Sequence[str]) -> int:
    """Add up, print, and keep the figures if told to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--keep-figures", action="store_true")
    given = parser.parse_args(arguments)
    figures = add_up(verdicts(given.folders))
    sys.stdout.write(table(figures) + "\n")
    if given.keep_figures:
        keep(figures, soaks(given.folders))
    return 0 if figures["runs"] and not figures["violations"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
