"""I9: no id, image, count, price or error of one tenant is readable by another."""

import json

from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import Call
from tests.chaos.checker.verdict import Verdict

I9 = "I9"


def judge(case: Case, verdict: Verdict) -> None:
    """Readings with a foreign key, and everything that anybody was answered."""
    for call in case.clients.of("foreign-status", "foreign-results", "foreign-report"):
        _judge_foreign(call, verdict)
    marks = {
        tenant["id"]: _marks(str(tenant["id"]), tenant.get("word"), case)
        for tenant in case.scenario["tenants"]
    }
    for call in case.clients.calls:
        if call.end is not None and call.tenant in marks:
            _judge_answer(call, marks, verdict)


def _marks(tenant: str, word: str | None, case: Case) -> set[str]:
    """What only this tenant may read: the ids of its jobs, and the word of its prompts."""
    return {job.id for job in case.jobs.all.values() if job.tenant == tenant} | ({word} if word else set())


def _judge_foreign(call: Call, verdict: Verdict) -> None:
    if call.is_maybe:
        verdict.unsure(I9, "nobody answered a foreign reading")
        return
    what = f"tenant {call.tenant} was answered {call.status} to {call.name}"
    verdict.must(I9, call.status == 404, what, f"job {call.job}", call.places)


def _judge_answer(call: Call, marks: dict[str, set[str]], verdict: Verdict) -> None:
    text = json.dumps(call.body)
    # A refusal repeats the id that was asked for.
    asked = str(call.begin.said.get("path", ""))
    for tenant, words in marks.items():
        if tenant != call.tenant:
            seen = [word for word in words if word in text and word not in asked and word != call.job]
            what = f"tenant {call.tenant} was answered {seen[:3]}, which are tenant {tenant}'s"
            verdict.must(I9, not seen, what, f"call {call.name}", call.places)
