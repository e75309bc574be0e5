"""I10: a bad item costs itself and no other, and a bounded number of attempts."""

from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import row_key
from tests.chaos.checker.evidence import Json
from tests.chaos.checker.jobs import Job, outcomes
from tests.chaos.checker.provider import Arrival, hashed, places
from tests.chaos.checker.verdict import Verdict

I10 = "I10"
MOST_CALLS = 3
"""An item is bought once, and again after its first and its second unknown outcome."""
TRIGGERS = ("forbidden-input", "forbidden-output", "forbidden-unsaid")
MODERATION = ("moderation_blocked", "content_policy_violation")
LASTING = (400, 413, 415, 422)
"""Statuses by which the provider refuses an item for what it is."""


def judge(case: Case, verdict: Verdict) -> None:
    """Every item of every job that has a report."""
    for job in case.jobs.all.values():
        for key in job.bad:
            states = {row["state"] for row in job.rows if row_key(row) == key}
            if job.rows and job.state not in ("cancelled", "failed"):
                verdict.must(
                    I10, states == {"failed"}, f"bad row {key[0]} is {states}", job.where, job.places
                )
        for row in job.rows:
            prompt = (job.prompts or {}).get(row_key(row))
            if prompt is not None:
                _judge_item(job, row, prompt, case, verdict)


def _judge_item(job: Job, row: Json, prompt: str, case: Case, verdict: Verdict) -> None:
    name, sharing = hashed(prompt), len(case.jobs.by_prompt[hashed(prompt)])
    bills, refusals = case.provider.by_prompt.get(name, []), case.provider.refused_by_prompt.get(name, [])
    lasting = [each for each in refusals if _is_lasting(each)]
    where = f"{job.where}, item {row_key(row)}"
    calls = len(bills) + len(lasting)
    what = f"it took {calls} calls"
    verdict.must(I10, calls <= MOST_CALLS * sharing, what, where, places([*bills, *lasting]))
    lost = outcomes(row)["written_off"]
    verdict.must(I10, lost <= MOST_CALLS, f"{lost} of its calls are written off", where, job.places)
    is_bad = any(word in prompt for word in TRIGGERS)
    if is_bad:
        verdict.must(I10, row["state"] != "succeeded", "it is bad, and succeeded", where, job.places)
    if row["state"] in ("blocked", "failed") and sharing == 1:
        moderated = [b for b in bills if case.provider.outcomes.get(b.request) == "moderation_blocked"]
        is_told = bool(moderated) or any(each.said["code"] in MODERATION for each in refusals)
        reasons = {"blocked": is_told, "failed": lost or lasting}
        what = f"it is {row['state']}, and nothing at the provider says why"
        verdict.must(I10, reasons[row["state"]], what, where, job.places)


def _is_lasting(refusal: Arrival) -> bool:
    code = refusal.said.get("code")
    return refusal.said["status"] in LASTING and code != "billing_hard_limit_reached"
