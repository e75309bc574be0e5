"""What the fake service says of what it knows, in the words of the real one."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from imagemill_client.testing._world import STATES, FakeItem, FakeJob, Json

Sign = Callable[[str], str]


def usd(amount: Decimal) -> str:
    """A sum with two places at least."""
    text = format(amount, "f")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def time(moment: datetime | None) -> str | None:
    """A time in UTC."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def counts(job: FakeJob) -> Json:
    """Items by state."""
    found = job.counts
    return {"total": len(job.items), "reused": 0} | {state: found[state] for state in STATES}


def images(job: FakeJob) -> int:
    """How many there are."""
    return sum(item.n for item in job.items if item.state == "succeeded")


def estimate(items: list[FakeItem], price: Decimal) -> Json:
    """What items cost here: always the same."""
    all_of_it = usd(price * sum(item.n for item in items))
    names = ("low_usd", "expected_usd", "high_usd")
    return dict.fromkeys(names, all_of_it) | {"uncertain": [], "reused": 0}


def status(job: FakeJob) -> Json:
    """The status of a job."""
    spent = usd(job.spent)
    return {
        "id": job.id,
        "object": "job",
        "name": job.body.get("name"),
        "state": job.state,
        "priority": job.priority,
        "retry_of": job.retry_of,
        "created_at": time(job.created_at),
        "started_at": time(job.started_at),
        "ended_at": time(job.ended_at),
        "items": counts(job),
        "images": images(job),
        "uncertain": 0,
        "cost": {
            "settled_usd": spent,
            "reserved_usd": "0.00",
            "written_off_usd": "0.00",
            "committed_usd": spent,
            "limit_usd": usd(job.limit),
        },
        "estimate": estimate(job.items, job.price),
        "warnings": [],
        "images_per_minute": None,
        "seconds_left": None,
        "hold": job.hold,
        "failure": job.failure,
        "invalid_rows": None,
        "metadata": job.body.get("metadata", {}),
        "links": {
            name: f"/v1/jobs/{job.id}{path}"
            for name, path in {"self": "", "items": "/items", "results": "/results"}.items()
        },
    }


def line(job: FakeJob) -> Json:
    """A job in a list."""
    whole = status(job)
    names = ("id", "object", "name", "state", "created_at", "started_at", "ended_at", "metadata")
    return {name: whole[name] for name in names} | {
        "total": len(job.items),
        "items": counts(job) if job.ended else None,
        "settled_usd": usd(job.spent) if job.ended else None,
        "written_off_usd": "0.00" if job.ended else None,
    }


def item(job: FakeJob, one: FakeItem, sign: Sign) -> Json:
    """An item."""
    good = one.state == "succeeded"
    return {
        "custom_id": one.custom_id,
        "variant": one.variant,
        "line": one.line,
        "state": one.state,
        "model": one.model,
        "images": [one.facts(job.id, n, sign(one.key(job.id, n))) for n in range(1, one.n + 1) if good],
        "cost_usd": usd(one.cost),
        "uncertain_usd": "0.00",
        "estimated": False,
        "error": {"code": one.code, "detail": one.detail} if one.code else None,
        "warnings": [],
        "attempts": [_attempt(job, one)] if good else [],
    }


def _attempt(job: FakeJob, one: FakeItem) -> Json:
    return {
        "reservation": f"{job.id}/{one.custom_id}/1",
        "outcome": "settled",
        "reserved_usd": usd(one.cost),
        "cost_usd": usd(one.cost),
        "drift_usd": "0.00",
        "code": None,
        "request_id": None,
    }


def report(job: FakeJob) -> Json:
    """The receipt."""
    whole = status(job)
    names = ("name", "state", "created_at", "ended_at", "items", "images", "uncertain", "estimate")
    return {name: whole[name] for name in names} | {
        "object": "report",
        "job": job.id,
        "limit_usd": usd(job.limit),
        "settled_usd": usd(job.spent),
        "written_off_usd": "0.00",
        "vanished_usd": "0.00",
        "lines": _lines(job),
        "drift": [],
        "price_table": "fake",
    }


def _lines(job: FakeJob) -> list[Json]:
    groups: dict[tuple[str, str], list[FakeItem]] = {}
    for one in job.items:
        groups.setdefault((one.model, one.state), []).append(one)
    return [
        {
            "model": model,
            "state": state,
            "items": len(found),
            "images": sum(one.n for one in found if state == "succeeded"),
            "settled_usd": usd(sum((one.cost for one in found), Decimal(0))),
            "written_off_usd": "0.00",
            "uncertain": 0,
        }
        for (model, state), found in sorted(groups.items())
    ]


def event(job: FakeJob, kind: str, now: datetime) -> Json:
    """The body of an event."""
    whole = status(job)
    names = ("id", "name", "state", "items", "images", "links")
    data = {name: whole[name] for name in names}
    data["cost"] = {name: sum_ for name, sum_ in whole["cost"].items() if name != "reserved_usd"}
    if kind == "job.held" and job.hold:
        data["hold"] = job.hold
    if kind == "job.failed" and job.failure:
        data["failure"] = job.failure
    return {"type": kind, "timestamp": time(now), "data": data}
