"""I1: every accepted item ends in exactly one terminal state, which never changes; the counts add up."""

from collections import Counter

from tests.chaos.checker.asked import Key
from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import LISTS, Call, row_key, rows
from tests.chaos.checker.evidence import Json
from tests.chaos.checker.jobs import Job
from tests.chaos.checker.verdict import Verdict

I1 = "I1"
TERMINAL = frozenset({"succeeded", "blocked", "failed", "skipped", "cancelled"})


def judge(case: Case, verdict: Verdict) -> None:
    """All jobs that have ended, and every reading of their items."""
    for job in case.jobs.all.values():
        if not job.has_ended:
            verdict.unsure(I1, "the end of a job was not read")
            continue
        if not job.report:
            _judge_without_report(job, verdict)
        elif _was_planned(job, verdict):
            _judge_items(job, verdict)
            _judge_counts(job, verdict)
    for name in case.jobs.all:
        calls = [
            call for call in case.clients.of(*LISTS, job=name) if call.is_answered and not _is_stale(call)
        ]
        judge_steady(name, calls, verdict)


def _judge_without_report(job: Job, verdict: Verdict) -> None:
    if (job.status.get("failure") or {}).get("code") == "terminated":
        verdict.unsure(I1, "a job was ended by hand, and has no report")
    else:
        verdict.must(I1, False, "it has ended, and its report could not be read", job.where, job.places)


def _was_planned(job: Job, verdict: Verdict) -> bool:
    """Was the whole of it made into items? What was given up before has none."""
    if job.status["items"].get("total") is None and job.state in ("failed", "cancelled"):
        verdict.must(
            I1, not job.rows, "it has no number of items, and yet some that have ended", job.where, job.places
        )
        return False
    return True


def _judge_items(job: Job, verdict: Verdict) -> None:
    keys = Counter(row_key(row) for row in job.rows)
    for key, times in keys.items():
        verdict.must(I1, times == 1, f"item {key} is reported {times} times", job.where, job.places)
    if job.prompts is None:
        verdict.unsure(I1, "which items a job has can't be told from its submission")
    else:
        asked = job.prompts.keys() | job.bad
        missing, strange = asked - keys.keys(), keys.keys() - asked
        verdict.must(I1, not missing, f"items have no end: {_some(missing)}", job.where, job.places)
        verdict.must(I1, not strange, f"nobody asked for {_some(strange)}", job.where, job.places)
    for row in job.rows:
        ends = row["state"] in TERMINAL
        verdict.must(I1, ends, f"item {row_key(row)} is {row['state']}", job.where, job.places)
    if {row_key(row): row["state"] for row in job.results} != {
        row_key(row): row["state"] for row in job.rows
    }:
        verdict.violated(
            I1, "the results and the report do not tell the same of its items", job.where, job.places
        )


def _judge_counts(job: Job, verdict: Verdict) -> None:
    states = Counter(row["state"] for row in job.rows)
    for source, counts in (("status", job.status["items"]), ("report", job.report["items"])):
        told = {state: counts[state] for state in TERMINAL}
        real = {state: states[state] for state in TERMINAL}
        fits = told == real and counts["total"] == len(job.rows) and not counts["pending"] + counts["running"]
        what = f"the counts of its {source} are {counts}, and its items {dict(states)}"
        verdict.must(I1, fits, what, job.where, job.places)


def _is_stale(call: Call) -> bool:
    """Does a page say of itself that no worker could be asked?"""
    return isinstance(call.body, dict) and bool(call.body.get("stale"))


def judge_steady(job: str, calls: list[Call], verdict: Verdict) -> None:
    """What was read as ended reads the same in every reading that began after that one was over."""
    known: dict[Key, tuple[Call, Json]] = {}
    for call in sorted(calls, key=lambda call: call.done):
        for row in rows(call.body):
            _judge_row(job, call, row, known, verdict)


def _judge_row(
    job: str, call: Call, row: Json, known: dict[Key, tuple[Call, Json]], verdict: Verdict
) -> None:
    earlier, before = known.get(row_key(row), (call, row))
    if before["state"] in TERMINAL and earlier.done < call.began:
        same = _end(row) == _end(before)
        what = f"item {row_key(row)} was {_end(before)}, and later {_end(row)}"
        verdict.must(I1, same, what, f"job {job}", [*earlier.places, *call.places])
    if row["state"] in TERMINAL:
        known.setdefault(row_key(row), (call, row))


def _end(row: Json) -> tuple[str, list[tuple[str, str]]]:
    """What must never change."""
    return row["state"], [(image["key"], image["sha256"]) for image in row.get("images", [])]


def _some(keys: set[Key]) -> str:
    return ", ".join(str(key[0]) for key in sorted(keys, key=str)[:5]) + (" …" if len(keys) > 5 else "")
