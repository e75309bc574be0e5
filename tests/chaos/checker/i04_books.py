"""I4: settled <= the provider's ledger <= settled + written off; without faults the three are equal."""

import math
from collections import defaultdict
from collections.abc import Sequence

from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import row_key
from tests.chaos.checker.evidence import Json
from tests.chaos.checker.jobs import PAID, Job, outcomes
from tests.chaos.checker.money import nano, usd
from tests.chaos.checker.provider import Arrival, hashed, places, total
from tests.chaos.checker.verdict import Verdict

I4 = "I4"
UNKNOWN_STATUSES = (None, 408, 409)


def judge(case: Case, verdict: Verdict) -> None:
    """By prompt, by job, call by call, and all write-offs together."""
    judged = {prompt for prompt, items in case.jobs.by_prompt.items() if _all_reported(items, case, verdict)}
    rows = _rows_by_prompt(case)
    for prompt in sorted(judged):
        where = ", ".join(f"job {job}, item {key}" for job, key in case.jobs.by_prompt[prompt])
        _judge_prompt(where, rows[prompt], case.provider.by_prompt.get(prompt, []), verdict)
    for job in case.jobs.all.values():
        if job.report:
            _judge_job(job, case, judged, verdict)
    _judge_calls(case, verdict)
    _judge_write_offs(case, verdict)


def settled_of(row: Json) -> int:
    """What an item's attempts say was billed."""
    return sum(nano(each["cost_usd"]) for each in row["attempts"] if each["outcome"] in PAID)


def written_off_of(row: Json) -> int:
    """What they count as spent since it can't be known."""
    return sum(nano(each["cost_usd"]) for each in row["attempts"] if each["outcome"] == "written_off")


def _all_reported(items: Sequence[tuple[str, object]], case: Case, verdict: Verdict) -> bool:
    """Has every job that asked for a prompt a report?"""
    if all(case.jobs.all[job].report for job, _ in items):
        return True
    verdict.unsure(I4, "a prompt of a job without a report")
    return False


def _rows_by_prompt(case: Case) -> dict[str, list[tuple[Job, Json]]]:
    found: dict[str, list[tuple[Job, Json]]] = defaultdict(list)
    for job in case.jobs.all.values():
        for row in job.rows:
            prompt = (job.prompts or {}).get(row_key(row))
            if prompt is not None:
                found[hashed(prompt)].append((job, row))
    return found


def _judge_prompt(where: str, rows: list[tuple[Job, Json]], bills: list[Arrival], verdict: Verdict) -> None:
    """What the attempts of all items of one prompt say, against what was billed for it."""
    lines = [*places(bills), *{place for job, _ in rows for place in job.places}]
    ends = sum((outcomes(row) for _, row in rows), start=outcomes({"attempts": []}))
    paid = sum(ends[outcome] for outcome in PAID)
    settled, written_off = (
        sum(settled_of(row) for _, row in rows),
        sum(written_off_of(row) for _, row in rows),
    )
    counts = f"{len(bills)} calls were billed, {paid} are settled and {ends['written_off']} written off"
    verdict.must(I4, paid <= len(bills) <= paid + ends["written_off"], counts, where, lines)
    sums = f"{usd(total(bills))} were billed, {usd(settled)} are settled and {usd(written_off)} written off"
    is_estimated = any(row["estimated"] or "paid_twice" in row["warnings"] for _, row in rows)
    verdict.must(I4, total(bills) <= settled + written_off, sums, where, lines)
    verdict.must(I4, settled <= total(bills) or is_estimated, sums, where, lines)


def _judge_job(job: Job, case: Case, judged: set[str], verdict: Verdict) -> None:
    """The sums of a job's status, of its report and of its items are the same, and fit the bill."""
    settled, written_off = sum(map(settled_of, job.rows)), sum(map(written_off_of, job.rows))
    for what, sums in (("status", job.status.get("cost") or job.report), ("report", job.report)):
        told = nano(sums["settled_usd"]), nano(sums["written_off_usd"])
        why = f"its {what} says {usd(told[0])} and {usd(told[1])} written off"
        why = f"{why}, its items {usd(settled)} and {usd(written_off)}"
        verdict.must(I4, told == (settled, written_off), why, job.where, job.places)
    held_back = nano((job.status.get("cost") or {}).get("reserved_usd", 0))
    verdict.must(I4, not held_back, f"it has ended, and {usd(held_back)} are reserved", job.where, job.places)
    if job.prompts is None or not {hashed(prompt) for prompt in job.prompts.values()} <= judged:
        verdict.unsure(I4, "the sum of a job whose prompts are not known, or are another's without a report")
        return
    bills = case.jobs.bills(job)
    estimated = sum(
        settled_of(row) for row in job.rows if row["estimated"] or "paid_twice" in row["warnings"]
    )
    if any(len(case.jobs.by_prompt[hashed(prompt)]) > 1 for prompt in job.prompts.values()):
        verdict.unsure(I4, "the sum of a job that shares prompts with another")
        return
    fits = settled - estimated <= total(bills) <= settled + written_off
    why = f"{usd(total(bills))} were billed; settled {usd(settled)}, {usd(written_off)} written off"
    verdict.must(I4, fits, why, job.where, [*places(bills[:3]), *job.places])


def _judge_calls(case: Case, verdict: Verdict) -> None:
    """A settled attempt that names the provider's id of its call costs what that call was billed at."""
    taken: dict[str, str] = {}
    for job in case.jobs.all.values():
        for row in job.rows:
            for attempt in row["attempts"]:
                if attempt["outcome"] in PAID and attempt.get("request_id"):
                    other = taken.setdefault(attempt["request_id"], attempt["reservation"])
                    what = f"call {attempt['request_id']} is settled twice"
                    verdict.must(I4, other == attempt["reservation"], what, job.where, job.places)
                    _judge_call(job, row, attempt, case, verdict)


def _judge_call(job: Job, row: Json, attempt: Json, case: Case, verdict: Verdict) -> None:
    where, request = f"{job.where}, item {row_key(row)}", attempt["request_id"]
    bill = case.provider.by_request.get(request)
    if bill is None:
        verdict.must(I4, False, f"call {request} is settled, and was never billed", where, job.places)
        return
    lines = [bill.where, *job.places]
    cost, reserved = nano(attempt["cost_usd"]), nano(attempt["reserved_usd"])
    fits = cost == bill.nano or (cost == reserved and (row["estimated"] or "paid_twice" in row["warnings"]))
    verdict.must(I4, fits, f"a call that costs {usd(bill.nano)} is settled at {usd(cost)}", where, lines)
    prompt = (job.prompts or {}).get(row_key(row))
    if prompt is not None:
        verdict.must(I4, bill.prompt == hashed(prompt), "it is settled by another item's call", where, lines)


def _judge_write_offs(case: Case, verdict: Verdict) -> None:
    """There are no more of them than calls that can have been lost."""
    lost = [
        attempt
        for job in case.jobs.all.values()
        for row in job.rows
        for attempt in row["attempts"]
        if attempt["outcome"] == "written_off"
    ]
    verdict.figures["write_offs"] = len(lost)
    most = _refused(case) + _places(case)
    what = f"{len(lost)} calls are written off, and {most:g} at most can have been lost"
    if len(lost) > most and _stood_still(case):
        verdict.unsure(
            I4, "a call that is written off while the machine was too slow to say that it lives", len(lost)
        )
        return
    verdict.must(I4, len(lost) <= most, what, "the run", [])


def _stood_still(case: Case) -> bool:
    """Did any client wait for an answer for longer than a worker may be silent?"""
    silence = float(case.settings.get("IMAGEMILL_TIMES_HEARTBEAT_TIMEOUT", 120))
    return any(silence < call.done - call.began < math.inf for call in case.clients.of("status"))


def _refused(case: Case) -> int:
    """Calls that the provider itself did not answer as it should."""
    unbilled = [
        refusal
        for refusal in case.provider.refusals
        if refusal.said["status"] in UNKNOWN_STATUSES or refusal.said["status"] >= 500
    ]
    ends = case.provider.outcomes
    billed = [
        bill for bill in case.provider.bills if bill.said.get("fault") or ends.get(bill.request) != "answered"
    ]
    return len(unbilled) + len(billed)


def _places(case: Case) -> float:
    """Calls that can have been under way while something befell a part: all places, once a second of it."""
    at_once = int(case.settings.get("IMAGEMILL_WORK_IMAGES_AT_ONCE", 100))
    workers = int(case.scenario.get("workers", 2))
    rounds: float = 0
    for fault in case.faults.of_parts:
        seconds = min(fault.until, case.faults.healed or math.inf) - fault.since
        rounds += 1 + max(0.0, seconds)
    return rounds * at_once * workers
