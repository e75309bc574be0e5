"""I6: an acknowledged submission is not lost, and starts."""

from tests.chaos.checker.case import Case
from tests.chaos.checker.jobs import Job
from tests.chaos.checker.verdict import Verdict

I6 = "I6"
GONE = (404, 410)


def judge(case: Case, verdict: Verdict) -> None:
    """Every job that a client was given before the drain."""
    for job in case.jobs.all.values():
        if job.acknowledged is None:
            verdict.unsure(I6, "a job that was first given to the judge")
            continue
        call = case.clients.last("final-status", job.id)
        if call is None or call.is_maybe:
            verdict.violated(
                I6, "what became of it could not be read after the drain", job.where, _makers(job)
            )
            continue
        places = [*_makers(job), *call.places]
        verdict.must(
            I6, not call.is_refused, f"it was accepted, and is answered {call.status}", job.where, places
        )
        if job.status:
            starts = job.state != "queued"
            verdict.must(
                I6, starts, f"it was accepted, and is {job.state} after the drain", job.where, places
            )
    _judge_resubmissions(case, verdict)


def _judge_resubmissions(case: Case, verdict: Verdict) -> None:
    """What was acknowledged is found again by its key, and not made anew."""
    for call in case.clients.of("final-resubmit"):
        known = [job for job in case.jobs.all.values() if _was_given(job, call.tenant, call.key)]
        if not known:
            verdict.unsure(I6, "a submission that nobody has acknowledged")
        elif call.is_maybe:
            verdict.unsure(I6, "nobody answered when it was submitted once more")
        else:
            what = f"submitted once more it was answered {call.status}, with {call.job}"
            found = call.status == 200 and call.job in {job.id for job in known}
            verdict.must(I6, found, what, known[0].where, [*_makers(known[0]), *call.places])


def _was_given(job: Job, tenant: str, key: str | None) -> bool:
    return any(
        (each.tenant, each.key) == (tenant, key) for each in job.makers if each.name != "final-resubmit"
    )


def _makers(job: Job) -> list[str]:
    return [place for call in job.makers[:2] for place in call.places]
