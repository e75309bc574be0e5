"""Runs as a test starts them: each a process of its own, judged by its verdict, kept where it failed."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.evidence import Json
from tests.chaos.scenario import Scenario

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).parent / "kept"
"""Scenarios of runs that failed once, as regression cases: whole, since the stories of a seed change."""
LOG = "run.log"
SHOWN = 12
AT_MOST = 900.0
"""Seconds after which a run is given up, whatever it is doing: several times what the slowest takes."""


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a run."""

    folder: Path
    status: int | None
    """What the process ended with: see `tests.chaos.run`; None: it was given up."""

    @property
    def complaint(self) -> str | None:
        """What is wrong, in words; None if nothing is."""
        if self.status == 0:
            return None
        where = f"evidence: {self.folder}"
        if self.status == 1:
            return f"{_violations(self.folder)}\n{where}"
        what = "was given up" if self.status is None else f"ended with {self.status}"
        log = (self.folder / LOG).read_text(errors="replace").splitlines()[-30:]
        return "\n".join((f"the run itself {what}:", *log, where))

    def tidy(self, verdicts: Path | None) -> None:
        """Of a run that found nothing, leave the verdict alone; of another, leave all."""
        if verdicts:
            verdicts.mkdir(parents=True, exist_ok=True)
            verdict = self.folder / "verdict.json"
            if verdict.exists():
                shutil.copy(verdict, verdicts / f"{self.folder.name}.json")
        if self.status == 0:
            shutil.rmtree(self.folder)

    def keep(self) -> None:
        """Keep the scenario, to be run again in every later run until somebody takes it out."""
        KEPT.mkdir(exist_ok=True)
        played = self.folder / "scenario.json"
        if played.exists():
            scenario = Scenario.read(played)
            told = json.dumps(scenario.as_json(), indent=1, ensure_ascii=False)
            (KEPT / f"seed-{scenario.seed}.json").write_text(told + "\n")


def play(evidence: Path | None, case: Path | int) -> Played:
    """Play a seed or a scenario; its evidence is left below a folder, by default that of temporary files."""
    if evidence:
        evidence.mkdir(parents=True, exist_ok=True)
    is_kept = isinstance(case, Path)
    name = case.stem if isinstance(case, Path) else f"seed-{case}"
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=evidence))
    what = ("--scenario" if is_kept else "--seed", str(case))
    command = (sys.executable, "-m", "tests.chaos.run", *what, "--out", str(folder))
    with (folder / LOG).open("w") as log:
        try:
            done = subprocess.run(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, timeout=AT_MOST, check=False
            )
        except subprocess.TimeoutExpired:
            return Played(folder, None)
    return Played(folder, done.returncode)


def kept_scenarios() -> list[Path]:
    """All that are kept."""
    return sorted(KEPT.glob("*.json"))


def _violations(folder: Path) -> str:
    found: list[Json] = json.loads((folder / "verdict.json").read_text())["violations"]
    lines = [f"{each['invariant']} {each.get('where', '')}: {each['what']}" for each in found[:SHOWN]]
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "\n".join((f"{len(found)} promises broken:", *lines, *more))
