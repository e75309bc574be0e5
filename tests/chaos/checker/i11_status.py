"""I11: status never lies: ends are true and stay, counts never go backwards, and what exists is found."""

from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import ENDED, STATUS, Call
from tests.chaos.checker.evidence import Json
from tests.chaos.checker.i01_ends import TERMINAL
from tests.chaos.checker.jobs import Job
from tests.chaos.checker.verdict import Verdict

I11 = "I11"
GONE = (404, 410)


def judge(case: Case, verdict: Verdict) -> None:
    """All readings of every job's status, in their real order."""
    for job in case.jobs.all.values():
        readings = case.clients.states(job.id)
        for call in readings:
            _judge_end(job, call, verdict)
        _judge_order(job, readings, verdict)
        for call in case.clients.of(*STATUS, job=job.id):
            _judge_found(job, call, verdict)


def _judge_end(job: Job, call: Call, verdict: Verdict) -> None:
    """An end says how many items came to which end."""
    state, counts = call.body["state"], call.body["items"]
    if state not in ENDED or counts.get("total") is None:
        return
    if state == "completed":
        whole = counts["succeeded"] == counts["total"]
        verdict.must(I11, whole, f"it is completed, with {counts}", job.where, call.places)
    if state in ("completed", "completed_with_errors"):
        done = sum(counts[name] for name in TERMINAL) == counts["total"]
        verdict.must(I11, done, f"it is {state}, with {counts}", job.where, call.places)


def _judge_order(job: Job, readings: list[Call], verdict: Verdict) -> None:
    """Each reading against all that were over when it began: it is enough to know their largest counts."""
    by_end = sorted(readings, key=lambda call: call.done)
    past: list[Call] = []
    most: dict[str, Call] = {}
    for call in sorted(readings, key=lambda call: call.began):
        while len(past) < len(by_end) and by_end[len(past)].done < call.began:
            past.append(by_end[len(past)])
            _remember(past[-1], most)
        for name, earlier in most.items():
            _judge_pair(job, name, earlier, call, verdict)


def _facts(body: Json) -> dict[str, int]:
    """What only ever grows; an end counts as the largest."""
    counts = {name: int(body["items"][name]) for name in TERMINAL}
    ended = ENDED.index(body["state"]) + 1 if body["state"] in ENDED else 0
    return counts | {"images": int(body.get("images", 0)), "end": ended}


def _remember(call: Call, most: dict[str, Call]) -> None:
    for name, number in _facts(call.body).items():
        if name not in most or number > _facts(most[name].body)[name]:
            most[name] = call


def _judge_pair(job: Job, name: str, earlier: Call, later: Call, verdict: Verdict) -> None:
    before, after = _facts(earlier.body)[name], _facts(later.body)[name]
    if name == "end":
        holds = not before or before == after
        what = f"it was {earlier.body['state']}, and later {later.body['state']}"
    else:
        holds = before <= after
        what = f"{name} went from {before} to {after}"
    verdict.must(I11, holds, what, job.where, [*earlier.places, *later.places])


def _judge_found(job: Job, call: Call, verdict: Verdict) -> None:
    """Whoever asks after a job was given is not told that there is none."""
    given = job.acknowledged
    if given is not None and call.began > given and not call.is_maybe:
        found = call.status not in GONE
        verdict.must(I11, found, f"it exists, and was answered {call.status}", job.where, call.places)
