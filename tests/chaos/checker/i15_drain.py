"""I15: after faults stop, everything is terminal within the stated time."""

from tests.chaos.checker.case import Case
from tests.chaos.checker.verdict import Verdict

I15 = "I15"


def judge(case: Case, verdict: Verdict) -> None:
    """From the last fault to the last end."""
    healed, drained = case.faults.healed, case.faults.drained
    if healed is None:
        verdict.violated("evidence", "when the faults were over is not told", "the run", ["faults.jsonl"])
        return
    if drained is None:
        open_jobs = ", ".join(f"{job.id} {job.state}" for job in case.jobs.all.values() if not job.has_ended)
        what = f"not everything has ended: {open_jobs or 'money is still leased'}"
        verdict.must(I15, False, what, "the run", ["faults.jsonl"])
        return
    limit = float(case.scenario["drain_limit_s"])
    took = drained - healed
    verdict.figures["drain_s"] = round(took, 1)
    verdict.must(
        I15, took <= limit, f"it took {took:.1f} s to end, {limit:g} are stated", "the run", ["faults.jsonl"]
    )
    for job in case.jobs.all.values():
        if job.acknowledged is not None:
            verdict.must(I15, job.has_ended, f"it is {job.state} after the drain", job.where, job.places)
