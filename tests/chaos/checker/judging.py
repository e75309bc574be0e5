"""All judges, one after the other; and whether there was enough to judge at all."""

from collections.abc import Callable
from pathlib import Path

from tests.chaos.checker import case as cases
from tests.chaos.checker import i01_ends, i02_caps, i03_images, i04_books
from tests.chaos.checker.case import Case
from tests.chaos.checker.verdict import Verdict

JUDGES: tuple[Callable[[Case, Verdict], None], ...] = (
    i01_ends.judge,
    i02_caps.judge,
    i03_images.judge,
    i04_books.judge,
)
NEEDED = {"I1": 1, "I2": 1, "I3": 1, "I4": 1}
"""So many things must be judged at least: a run of which less is known has shown nothing."""


def judge(folder: Path) -> Verdict:
    """Judge the evidence in a folder."""
    case, verdict = cases.read(folder), Verdict()
    for wrong in case.evidence.wrong:
        verdict.violated("evidence", wrong, "the evidence")
    verdict.figures = figures(case)
    for look in JUDGES:
        _look(look, case, verdict)
    for invariant, least in NEEDED.items():
        if verdict.judged[invariant] < least:
            what = f"{invariant}: {verdict.judged[invariant]} things could be judged, {least} must be"
            verdict.violated("evidence", what, "the evidence")
    return verdict


def _look(look: Callable[[Case, Verdict], None], case: Case, verdict: Verdict) -> None:
    """One judge; evidence that it can't make sense of is no evidence that the promise held."""
    try:
        look(case, verdict)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        what = f"{look.__module__.rpartition('.')[2]} can't read it: {type(error).__name__}: {error}"
        verdict.violated("evidence", what, "the evidence")


def figures(case: Case) -> dict[str, object]:
    """How much happened, and where."""
    kinds = case.faults.kinds
    return {
        "seed": case.scenario.get("seed"),
        "story": case.scenario.get("story"),
        "network_isolated": bool(case.scenario.get("network_isolated")),
        "seconds": round(_last(case) - float(case.scenario.get("began") or 0.0), 1),
        "jobs": len(case.jobs.all),
        "items": sum(len(job.rows) for job in case.jobs.all.values()),
        "calls_billed": len(case.provider.bills),
        "calls_refused": len(case.provider.refusals),
        "kills": kinds.get("kill", 0),
        "faults": kinds,
    }


def _last(case: Case) -> float:
    """When the last thing was written down that a client saw."""
    return max((line.time for line in case.evidence.of("clients.jsonl")), default=0.0)
