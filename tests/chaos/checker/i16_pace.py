"""I16: no call goes out before a Retry-After has passed, nor above a known limit, by all workers together.

The worker that is told knows at once, the others within about a second. A worker that was killed, or cut off,
may not have been told at all; such times are counted as undecided.
"""

from tests.chaos.checker.case import Case
from tests.chaos.checker.provider import Arrival, places
from tests.chaos.checker.verdict import Verdict

I16 = "I16"
TOLD_WITHIN = 2.0
"""Seconds until all workers know, and what they sent before has arrived."""
SETTLE = 5.0


def judge(case: Case, verdict: Verdict) -> None:
    """Every answer that asks to wait, and how many were refused for the rate."""
    arrivals = case.provider.arrivals
    for refusal in case.provider.refusals:
        if refusal.said.get("retry_after"):
            _judge_wait(refusal, arrivals, case, verdict)
    _judge_limit(case, verdict)


def _judge_wait(refusal: Arrival, arrivals: list[Arrival], case: Case, verdict: Verdict) -> None:
    since, until = refusal.time, refusal.time + float(refusal.said["retry_after"])
    if since + TOLD_WITHIN >= until:
        verdict.unsure(I16, "a wait that was over before everybody could know of it")
        return
    model = refusal.said.get("model")
    early = [a for a in arrivals if since + TOLD_WITHIN < a.time < until and a.said.get("model") == model]
    if early and case.faults.touched(since - SETTLE, until, SETTLE):
        verdict.unsure(I16, "calls during a wait that some worker may not have been told of", len(early))
        return
    what = f"{len(early)} calls came before {until - since:g} s had passed"
    verdict.must(I16, not early, what, f"model {model}", [refusal.where, *places(early, 5)])


def _judge_limit(case: Case, verdict: Verdict) -> None:
    """With a limit that is told, only those calls are refused that were sent before anybody knew."""
    limit = (case.scenario.get("limits") or {}).get("images_per_minute")
    if limit is None:
        return
    refused = [
        each
        for each in case.provider.refusals
        if each.said.get("code") == "rate_limit_exceeded" and not each.said.get("fault")
    ]
    at_once = int(case.settings.get("IMAGEMILL_WORK_IMAGES_AT_ONCE", 100)) * int(
        case.scenario.get("workers", 2)
    )
    most = at_once * (1 + len(case.faults.of_parts))
    what = f"{len(refused)} calls were above the limit of {limit} images a minute"
    verdict.must(I16, len(refused) <= most, what, "the run", places(refused))
