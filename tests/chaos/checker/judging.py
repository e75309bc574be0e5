"""All judges, one after the other; and whether there was enough to judge at all."""

from collections.abc import Callable
from pathlib import Path

from tests.chaos.checker import case as cases
from tests.chaos.checker import (
    i01_ends,
    i02_caps,
    i03_images,
    i04_books,
    i05_once,
    i06_kept,
    i07_bought_once,
    i08_stops,
    i09_apart,
    i10_bad_items,
    i11_status,
    i12_webhooks,
    i13_canaries,
    i14_bounds,
    i15_drain,
    i16_pace,
)
from tests.chaos.checker.case import Case
from tests.chaos.checker.verdict import Verdict

JUDGES: tuple[Callable[[Case, Verdict], None], ...] = (
    i01_ends.judge,
    i02_caps.judge,
    i03_images.judge,
    i04_books.judge,
    i05_once.judge,
    i06_kept.judge,
    i07_bought_once.judge,
    i08_stops.judge,
    i09_apart.judge,
    i10_bad_items.judge,
    i11_status.judge,
    i12_webhooks.judge,
    i13_canaries.judge,
    i14_bounds.judge,
    i15_drain.judge,
    i16_pace.judge,
)
NEEDED = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I9", "I10", "I11", "I13", "I14", "I15")
"""These can be judged in every run; one in which nothing of them could has shown nothing."""
NOT_ALWAYS = ("I8", "I12", "I16")
"""These need a pause or an end, a webhook, and a limit."""


def judge(folder: Path) -> Verdict:
    """Judge the evidence in a folder."""
    case, verdict = cases.read(folder), Verdict()
    for wrong in case.evidence.wrong:
        verdict.violated("evidence", wrong, "the evidence")
    verdict.figures = figures(case)
    for look in JUDGES:
        _look(look, case, verdict)
    for invariant in NEEDED:
        if not verdict.judged[invariant]:
            verdict.violated("evidence", f"nothing could be judged for {invariant}", "the evidence")
    for invariant in NOT_ALWAYS:
        verdict.unsure(invariant, "nothing of it happened in this run", not verdict.judged[invariant])
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
