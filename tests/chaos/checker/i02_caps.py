"""I2: the ledger never exceeds a cap, at any moment: of a job, or of a tenant in a day or a month."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.checker.caps import Caps
from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import Call
from tests.chaos.checker.jobs import Job
from tests.chaos.checker.money import nano, usd
from tests.chaos.checker.provider import Arrival, places, total
from tests.chaos.checker.verdict import Verdict

I2 = "I2"


def judge(case: Case, verdict: Verdict) -> None:
    """Every bill in its order, by job and by tenant."""
    verdict.unsure(I2, "a bill that may be of one job or another", len(case.jobs.shared))
    for job in case.jobs.all.values():
        if _has_drift(job):
            verdict.unsure(I2, "the provider charged above its price list")
            continue
        caps = Caps(job, case.clients)
        _judge_bills(job, case.jobs.bills(job), caps, verdict)
        _judge_books(job, case, verdict)
    for tenant in case.scenario.get("tenants", []):
        _judge_tenant(tenant, case, verdict)


def _has_drift(job: Job) -> bool:
    return any(nano(attempt.get("drift_usd", 0)) for row in job.rows for attempt in row["attempts"])


def _judge_bills(job: Job, bills: list[Arrival], caps: Caps, verdict: Verdict) -> None:
    so_far = 0
    for number, bill in enumerate(bills):
        so_far += bill.nano
        most = caps.most(bill.time)
        if most is None:
            verdict.unsure(I2, "a bill of a job whose cap is not known")
            continue
        what = f"bill {number + 1} makes it {usd(so_far)}, above the cap of {usd(most)}"
        verdict.must(I2, so_far <= most, what, job.where, [bill.where])
        if so_far > most:
            return


def _judge_books(job: Job, case: Case, verdict: Verdict) -> None:
    """What a status calls committed is never behind what was billed when it was asked for."""
    bills = case.jobs.bills(job)
    if job.state == "failed":
        return
    for call in case.clients.states(job.id):
        cost = call.body.get("cost")
        if cost:
            billed = [bill for bill in bills if bill.time < call.began]
            what = f"{usd(total(billed))} were billed when its status said ${cost['committed_usd']}"
            fits = total(billed) <= nano(cost["committed_usd"])
            verdict.must(I2, fits, what, job.where, [*call.places, *places(billed[-1:])])


def _judge_tenant(tenant: dict[str, Any], case: Case, verdict: Verdict) -> None:
    name = str(tenant["id"])
    jobs = {job.id for job in case.jobs.all.values() if job.tenant == name}
    bills = [bill for job in jobs for bill in case.jobs.bills(case.jobs.all[job])]
    bills += [bill for bill in case.jobs.shared if _may_be_of(bill, case, jobs)]
    for window, field in (("day", "day_usd"), ("month", "month_usd")):
        caps = [*_caps(tenant.get(field)), *_set(case, name, field)]
        if None in caps or not caps:
            continue
        ends = sorted(_ends(case.clients.of("usage", "final-usage"), name, window))
        sums: dict[float, list[Arrival]] = defaultdict(list)
        for bill in sorted(bills, key=lambda bill: bill.time):
            sums[_window(bill.time, ends, window)].append(bill)
        for listed in sums.values():
            most = max(cap for cap in caps if cap is not None)
            what = f"{usd(total(listed))} were billed in a {window}, above the cap of {usd(most)}"
            verdict.must(I2, total(listed) <= most, what, f"tenant {name}", places(listed[-3:]))


def _may_be_of(bill: Arrival, case: Case, jobs: set[str]) -> bool:
    """Is a bill that several jobs share surely of one of these?"""
    return {job for job, _ in case.jobs.by_prompt[str(bill.prompt)]} <= jobs


def _caps(cap: str | None) -> list[int | None]:
    return [None if cap is None else nano(cap)]


def _set(case: Case, tenant: str, field: str) -> list[int | None]:
    """Caps that an operator has set meanwhile, unless that was refused."""
    calls = [
        call for call in case.clients.of("set-caps") if _tenant_of(call) == tenant and not call.is_refused
    ]
    return [cap for call in calls for cap in _caps(call.asked.get(field))]


def _tenant_of(call: Call) -> str:
    """Whose caps they are: the call has an operator's key."""
    return str(call.begin.said.get("of", call.tenant))


def _ends(calls: Iterable[Call], tenant: str, window: str) -> set[float]:
    """The moments at which a tenant's windows end, as its usage tells them."""
    told = [call.body for call in calls if call.tenant == tenant and call.is_answered]
    return {
        datetime.fromisoformat(body[window]["ends_at"]).timestamp()
        for body in told
        if isinstance(body, dict) and window in body
    }


def _window(moment: float, ends: list[float], window: str) -> float:
    """Which window a moment is in, named by its end."""
    for end in ends:
        if moment < end:
            return end
    day = datetime.fromtimestamp(moment, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day.replace(day=1) if window == "month" else day + timedelta(days=1)).timestamp()
