"""What a held job needs, in words and as the command that gives it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from cli.answers import Hold, Job
from cli.errors import harmless
from cli.money import dollars, whole_cents


def hold_words(job: Job) -> Iterator[str]:
    """Why a job is held, and what would let it go on; nothing if it isn't."""
    if job.hold is None:
        return
    yield harmless(job.hold.detail)
    if job.hold.code == "budget":
        yield from _own_cap(job, job.hold)
    elif job.hold.code == "tenant_budget":
        yield from _tenant_cap(job.hold)
    elif job.hold.code == "unknown_outcomes":
        yield f"To buy on: imagemill resume {job.id}"
    else:
        yield from _probe(job, job.hold)


def same_hold(job: Job) -> tuple[object, ...]:
    """What stays the same for as long as there is nothing new to say of a hold."""
    if job.hold is None:
        return ()
    # After a raise that was too small, the job needs another amount. What a tenant's cap lacks changes with
    # every other job, and is not worth a line each time.
    needed = job.hold.smallest_usd if job.hold.code == "budget" else None
    return job.hold.code, job.hold.since, needed


def _own_cap(job: Job, hold: Hold) -> Iterator[str]:
    if hold.smallest_usd is None:
        return
    least, likely = whole_cents(hold.smallest_usd), whole_cents(hold.likely_usd or hold.smallest_usd)
    enough = whole_cents(job.cost.limit_usd + max(least, likely))
    yield f"Raise the cap by {_needed(least, likely)}:"
    yield f"imagemill budget {job.id} --limit-usd {enough}"  # whole, to be copied


def _tenant_cap(hold: Hold) -> Iterator[str]:
    if hold.until is not None:
        yield f"The window of the tenant's cap ends at {_moment(hold.until)}; the job goes on by itself then."
    if hold.smallest_usd is not None:
        least, likely = whole_cents(hold.smallest_usd), whole_cents(hold.likely_usd or hold.smallest_usd)
        yield f"Or an operator raises the tenant's cap by {_needed(least, likely)}: imagemill caps"


def _probe(job: Job, hold: Hold) -> Iterator[str]:
    if hold.next_probe is not None:
        when = _moment(hold.next_probe, "%H:%M:%S")
        yield f"An item is tried at {when}. To try now: imagemill resume {job.id}"


def _needed(least: Decimal, likely: Decimal) -> str:
    if likely <= least:
        return f"at least {dollars(least)}, which would likely buy all"
    return f"at least {dollars(least)}; {dollars(likely)} would likely buy all"


def _moment(moment: datetime, form: str = "%Y-%m-%d %H:%M") -> str:
    return f"{moment.astimezone(UTC).strftime(form)} UTC"
