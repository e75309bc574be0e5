"""I7: what was stored is never paid for again, and no call goes out without a reservation of its own."""

from collections import Counter

from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import row_key
from tests.chaos.checker.evidence import Json
from tests.chaos.checker.jobs import Job
from tests.chaos.checker.provider import hashed, places
from tests.chaos.checker.verdict import Verdict

I7 = "I7"
WHOLE_SECOND = 1.0
"""Stores tell the second in which an object was written."""


def judge(case: Case, verdict: Verdict) -> None:
    """All reservations, all bills, and every image against the bills that came after it."""
    names = Counter(name for job in case.jobs.all.values() for name in _reservations(job))
    for name, times in names.items():
        verdict.must(I7, times == 1, f"reservation {name} was used {times} times", "the run")
    for bill in case.jobs.strange:
        _judge_stranger(bill.where, case, verdict)
    for job in case.jobs.all.values():
        for row in job.results:
            _judge_row(job, row, case, verdict)


def _reservations(job: Job) -> list[str]:
    return [attempt["reservation"] for row in job.rows for attempt in row["attempts"]]


def _judge_stranger(where: str, case: Case, verdict: Verdict) -> None:
    """A bill for a prompt that no known job asked for."""
    if any(call.is_maybe for call in case.clients.of("submit", "retry")) or any(
        job.prompts is None for job in case.jobs.all.values()
    ):
        verdict.unsure(I7, "a bill for a prompt of no known job, while some submissions are not known")
    else:
        verdict.violated(I7, "a call was made for a prompt that nobody asked for", "the run", [where])


def _judge_row(job: Job, row: Json, case: Case, verdict: Verdict) -> None:
    prompt = (job.prompts or {}).get(row_key(row))
    if row["state"] != "succeeded" or prompt is None or row.get("reused_from"):
        return
    if len(case.jobs.by_prompt[hashed(prompt)]) > 1:
        verdict.unsure(I7, "an image whose prompt is another item's, too")
        return
    stored = [case.buckets.delivery[i["key"]] for i in row["images"] if i["key"] in case.buckets.delivery]
    if not stored:
        return
    last = max(each.modified for each in stored)
    again = [b for b in case.provider.by_prompt[hashed(prompt)] if b.time > last + WHOLE_SECOND]
    if again and "paid_twice" in row["warnings"]:
        # A call of another worker that was under way, or had looked already.
        verdict.unsure(I7, "an image that was bought again, as its item says")
        is_possible = bool(case.faults.of_parts)
        what = "its images were bought twice, although nothing befell any part"
        verdict.must(I7, is_possible, what, job.where, places(again))
        return
    what = f"item {row_key(row)} was stored, and bought again {len(again)} times after that"
    verdict.must(I7, not again, what, job.where, [*(each.where for each in stored), *places(again)])
