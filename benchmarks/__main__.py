"""``python -m benchmarks [NAME…] [--results FOLDER]``: run every benchmark, or those named.

A benchmark returns its rows, or raises `Skipped` where the machine lacks what it needs. With ``--results``
each leaves a file in that folder (`benchmarks.results`).
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    api,
    dashboard,
    fairness,
    latency,
    pace,
    planning,
    recovery,
    results,
    throughput,
    workers,
)

Benchmark = Callable[[], Coroutine[Any, Any, Sequence[results.Row] | None]]

BENCHMARKS: Mapping[str, Benchmark] = {
    "latency": latency.main,
    "workers": workers.main,
    "recovery": recovery.main,
    "pace": pace.main,
    "fairness": fairness.main,
    "planning": planning.main,
    "api": api.main,
    "dashboard": dashboard.main,
    throughput.NAME: throughput.main,
}


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure; nothing fails.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="where to write what was found")
    told = parser.parse_args(words)
    unknown = [name for name in told.names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in told.names or BENCHMARKS:
        run(name, BENCHMARKS[name], told.results)
    return 0


def run(name: str, benchmark: Benchmark, folder: Path | None) -> None:
    """One benchmark, and its file."""
    try:
        rows = asyncio.run(benchmark())
    except results.Skipped as reason:
        print(f"{name}: skipped: {reason}")
        return
    if folder and rows:
        print(f"{name}: written to {results.write(folder, name, rows)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
