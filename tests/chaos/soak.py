"""Mixed jobs that come and go for an hour, with mild faults and idle phases; then all must have stayed flat.

    python -m tests.chaos.soak --minutes 60 --out DIR [--seed N] [--pace SECONDS]

Plays one long scenario by `tests.chaos.run`, whose checker judges every job, and then judges flatness by
`tests.chaos.flat`. Ends with 0 if neither objects, and leaves `soak.json` beside the other evidence.

A machine that is given more jobs than it gets done has ever more of them open, and memory grows with their
number: on a busy one the pace has to be slower.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chaos import flat
from tests.chaos.evidence import Json
from tests.chaos.quick import SEEDED
from tests.chaos.scenario import Action, FaultPlan, JobPlan, Scenario
from tests.chaos.troubles import WORKERS
from tests.chaos.workload import Workload

RUN = "tests.chaos.run"
WAVE = 240.0
"""Seconds of a wave of jobs, with the idle phase after it."""
IDLE = 0.25
"""The share of a wave in which nothing is submitted."""
PACE = 5.0
"""Seconds from one submission to the next, on the average: two idle cores keep up with it."""
TENANT_USD = "100000"
SETTLING = 30.0
"""Seconds before the end in which nothing goes wrong any more."""
MILD = ("error_500_unbilled", "reset_before_billing", "rate_limit", "error_500_billed", "no_usage", "delay")


class Soak:
    """Makes up a long scenario of the same kinds of jobs as all others."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.word = f"run{seed}q"
        self._workload = Workload(self.chance, seed, self.word)

    def long(self, minutes: float, wave: float = WAVE, pace: float = PACE) -> Scenario:
        """So many minutes of waves of jobs."""
        seconds = minutes * 60
        tenants = [
            tenant.model_copy(update={"day_usd": TENANT_USD, "month_usd": TENANT_USD})
            for tenant in self._workload.tenants()
        ]
        times = list(self._times(seconds - SETTLING / 2, wave, pace))
        jobs = [
            self._at(self._workload.job(number, self.chance.choice(tenants), f"soak-{number}"), at)
            for number, at in enumerate(times)
        ]
        return Scenario(
            seed=self.seed,
            story=f"soak of {minutes:g} minutes",
            word=self.word,
            settings=dict(SEEDED),
            limits={"images_per_minute": None},
            tenants=tenants,
            jobs=jobs,
            timeline=sorted(self._timeline(seconds), key=lambda fault: fault.at),
            drain_limit_s=120.0 + seconds / 10,
            told_within_s=60.0 + seconds / 20,
            judged_within_s=60.0 + seconds / 5,
        )

    def _times(self, until: float, wave: float, pace: float) -> Iterator[float]:
        at = 0.0
        while at < until:
            if at % wave < wave * (1 - IDLE):
                yield round(at, 2)
            at += self.chance.uniform(0.5, 1.5) * pace

    def _at(self, job: JobPlan, at: float) -> JobPlan:
        """The job at its time. It ends by itself: one that is held until the drain takes up memory."""
        body = job.body | {
            "on_unknown": "retry" if job.body["on_unknown"] == "hold" else job.body["on_unknown"]
        }
        ends = [
            Action(do="resume", at=1.0, once="paused"),
            Action(do="set-budget", at=1.0, once="held", body={"budget": {"limit_usd": job.most_usd}}),
        ]
        return job.model_copy(
            update={
                "at": at,
                "body": body,
                "actions": [*job.actions, *ends],
                "submitters": min(job.submitters, 3),
            }
        )

    def _timeline(self, seconds: float) -> Iterator[FaultPlan]:
        """Now and then a provider that fails a little, a receiver that hangs, and a part that is lost.

        One worker and the API live from the beginning to the end, to be judged by their whole life. The
        first fault is as long as all: the drain begins when the last one has ended.
        """
        yield _fault(0.0, seconds, "provider", plan=[{"kind": "delay", "probability": 0.01}])
        until = seconds - SETTLING
        for at in _every(60.0, until):
            kinds = self.chance.sample(MILD, k=2)
            plan = [{"kind": kind, "probability": 0.02} for kind in kinds]
            yield _fault(at, 40.0, "provider", plan=plan)
        for at in _every(130.0, until):
            yield _fault(at + 20, 15.0, "sink", how=self.chance.choice(("hang", "refuse", "break")))
        for at in _every(170.0, until):
            yield _fault(at + 45, 1.5, "freeze", target=self.chance.choice(("store", "temporal", *WORKERS)))
        for at in _every(420.0, until):
            yield _fault(at + 200, 2.0, "kill", target=WORKERS[1])
        for target, share in (("temporal", 0.35), ("store", 0.6)):
            if until > 600:
                yield _fault(until * share, 3.0, "kill", target=target)


def _every(seconds: float, until: float) -> Iterator[float]:
    at = 0.0
    while at + seconds <= until:
        yield at
        at += seconds


def _fault(at: float, lasts: float, kind: str, **details: object) -> FaultPlan:
    return FaultPlan.model_validate({"at": at, "for": lasts, "kind": kind, **details})


def play(scenario: Scenario, folder: Path) -> int:
    """Run a scenario in a process of its own; 0: the checker has nothing to object."""
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / "soak-scenario.json"
    told.write_text(json.dumps(scenario.as_json()))
    command = (sys.executable, "-m", RUN, "--out", str(folder), "--scenario", str(told))
    return subprocess.run(command, check=False).returncode


def judge(folder: Path, ended: int, bounds: flat.Bounds | None = None) -> Json:
    """What is to be said of the whole, and `soak.json` with it."""
    flatness = flat.judge(folder, bounds)
    verdict = folder / "verdict.json"
    checked: Json = {"violations": [{"what": "there is no verdict"}]}
    if verdict.exists():
        checked = json.loads(verdict.read_text())
    said = {
        "ended": ended,
        "violations": checked["violations"],
        "objections": flatness.objections,
        "figures": {**checked.get("figures", {}), **flatness.figures},
    }
    (folder / "soak.json").write_text(json.dumps(said, indent=1) + "\n")
    return said


def summary(said: Json) -> str:
    """One line, and one more for each thing that is wrong."""
    figures = said["figures"]
    orphans = ", ".join(f"{count} {kind}" for kind, count in figures["orphans"].items()) or "none"
    longest = max((each["events"] for each in figures["histories"].values()), default=0)
    line = (
        f"soak: {figures.get('jobs', '?')} jobs, {figures.get('items', '?')} items; "
        f"{len(said['violations'])} violations; {figures['processes']['judged']} processes judged, "
        f"{len(said['objections'])} objections; longest history {longest} events; orphans: {orphans}"
    )
    wrong = [
        *(f"  {violation}" for violation in said["violations"]),
        *(f"  {each}" for each in said["objections"]),
    ]
    return "\n".join([line, *wrong])


def is_clean(said: Json) -> bool:
    """Has nobody objected to anything?"""
    return not (said["ended"] or said["violations"] or said["objections"])


def main(arguments: Sequence[str]) -> int:
    """Play, judge, and say so."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pace", type=float, default=PACE)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    said = judge(given.out, play(Soak(given.seed).long(given.minutes, pace=given.pace), given.out))
    sys.stdout.write(summary(said) + "\n")
    return 0 if is_clean(said) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
