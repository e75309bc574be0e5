"""I5: the same idempotency key and body give the same job; another body, or tenant, gives never that one."""

import json
from collections import defaultdict

from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import MAKERS, Call
from tests.chaos.checker.verdict import Verdict

I5 = "I5"


def judge(case: Case, verdict: Verdict) -> None:
    """Every submission with a key, and every job that was run."""
    groups: dict[tuple[str, str], list[Call]] = defaultdict(list)
    owners: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for call in case.clients.of(*MAKERS):
        if call.key is not None:
            groups[call.tenant, call.key].append(call)
        if call.is_answered and call.job:
            # Without a key every submission makes a job of its own.
            owners[call.job].add((call.tenant, call.key or call.begin.where))
    for (tenant, key), calls in groups.items():
        _judge_key(f"key {key!r} of tenant {tenant}", calls, verdict)
    for job, keys in owners.items():
        what = f"it was given to {len(keys)} different submissions: {sorted(map(str, keys))}"
        places = [place for call in case.clients.of(*MAKERS, job=job) for place in call.places]
        verdict.must(I5, len(keys) == 1, what, f"job {job}", places[:10])
    _judge_strangers(case, verdict)


def _judge_key(where: str, calls: list[Call], verdict: Verdict) -> None:
    done = [call for call in calls if call.is_answered]
    places = [place for call in calls for place in call.places][:20]
    jobs = {call.job for call in done}
    verdict.must(I5, len(jobs) <= 1, f"it gave {len(jobs)} jobs: {sorted(map(str, jobs))}", where, places)
    contents = {_content(call) for call in done}
    what = f"{len(contents)} different contents were accepted under it"
    verdict.must(I5, len(contents) <= 1, what, where, places)
    if not done:
        verdict.unsure(I5, "a key under which no submission was answered")


def _content(call: Call) -> str:
    return json.dumps([call.begin.said.get("path"), call.asked], sort_keys=True)


def _judge_strangers(case: Case, verdict: Verdict) -> None:
    """What began although nobody was ever given it must be one that may have been asked for."""
    maybe = {call.tenant for call in case.clients.of(*MAKERS) if call.is_maybe and call.key is None}
    for key, stored in case.buckets.control.items():
        parts = key.split("/")
        if parts[0] == "jobs" and parts[-1] == "claim.json" and parts[2] not in case.jobs.all:
            if parts[1] in maybe:
                verdict.unsure(I5, "a job that nobody was given, of a tenant that submits without keys")
            else:
                verdict.violated(
                    I5, "it was begun, and nobody was ever given it", f"job {parts[2]}", [stored.where]
                )
