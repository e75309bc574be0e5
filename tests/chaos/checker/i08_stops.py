"""I8: once a state reads paused, held or cancelled, no call starts but one that had passed its age check.

Such a call is one of a worker that stood still, or was cut off, between its check and the request: where a
part was in trouble before, calls that come late are counted as undecided.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import ENDED, Call
from tests.chaos.checker.jobs import Job
from tests.chaos.checker.provider import Arrival
from tests.chaos.checker.verdict import Verdict

I8 = "I8"
HOLDS = ("budget", "tenant_budget", "schedule_budget", "unknown_outcomes")
"""Holds during which no item is tried, as it is where the provider is in trouble."""
ON_ITS_WAY = 1.0
"""Seconds that a request may take to the provider on a busy machine."""
SETTLE = 15.0
"""Seconds after trouble of a part, in which a call may come late."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A time in which nothing of a job may start, and the calls that show it."""

    since: float
    until: float
    state: str
    calls: tuple[Call, ...]


def judge(case: Case, verdict: Verdict) -> None:
    """All readings of such a state, against when calls came."""
    arrivals = [each for each in case.provider.arrivals if each.prompt is not None]
    for job in case.jobs.all.values():
        own = [arrival for arrival in arrivals if case.jobs.owner(arrival) == job.id]
        for rest in rests(job, case):
            _judge_rest(job, rest, own, case, verdict)


def rests(job: Job, case: Case) -> Iterator[Rest]:
    """The times that are known from readings."""
    readings = case.clients.states(job.id)
    resumes = [call for call in case.clients.of("resume", job=job.id) if not call.is_refused]
    pauses = list(case.clients.of("pause", job=job.id))
    end = next((call for call in readings if call.body["state"] in ENDED), None)
    if end:
        yield Rest(end.done, math.inf, end.body["state"], (end,))
    for call in readings:
        paused = max((each.began for each in pauses if each.began < call.done), default=-math.inf)
        may_go_on = any(each.began < call.done and each.done >= paused for each in resumes)
        # A resumption that was accepted comes into force a little later, perhaps after this reading.
        if call.body["state"] == "paused" and not may_go_on:
            until = min((each.began for each in resumes if each.began >= call.done), default=math.inf)
            yield Rest(call.done, until, "paused", (call,))
    held = [call for call in readings if call.body["state"] == "held"]
    for first, second in pairwise(held):
        if _is_same_hold(first, second):
            yield Rest(first.done, second.began, "held", (first, second))


def _is_same_hold(first: Call, second: Call) -> bool:
    one, other = first.body.get("hold") or {}, second.body.get("hold") or {}
    same = (one.get("code"), one.get("since")) == (other.get("code"), other.get("since"))
    return same and one.get("code") in HOLDS and first.done < second.began


def _judge_rest(job: Job, rest: Rest, arrivals: list[Arrival], case: Case, verdict: Verdict) -> None:
    for arrival in arrivals:
        if not rest.since + ON_ITS_WAY < arrival.time < rest.until:
            continue
        if case.faults.touched(rest.since - SETTLE, arrival.time, SETTLE):
            verdict.unsure(
                I8, f"a call after {rest.state}, that may have been on its way while a part was in trouble"
            )
            continue
        late = arrival.time - rest.since
        what = f"a call came {late:.1f} s after its state had been read as {rest.state}"
        places = [arrival.where, *(place for call in rest.calls for place in call.places)]
        verdict.violated(I8, what, job.where, places)
        return
    verdict.judged[I8] += 1
