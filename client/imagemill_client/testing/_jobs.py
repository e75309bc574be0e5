"""What the fake answers about jobs and their items."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from imagemill_client.testing import _answers
from imagemill_client.testing._files import signed_url
from imagemill_client.testing._http import ApiProblem, Asked, Told, invalid, missing, page, told
from imagemill_client.testing._submissions import faults, items_of
from imagemill_client.testing._world import FakeItem, FakeJob, Json

if TYPE_CHECKING:
    from imagemill_client.testing._fake import FakeImagemill

JOBS = r"/v1/jobs"
JOB = rf"{JOBS}/(?P<job>[^/]+)"
ITEM = rf"{JOB}/items/(?P<custom_id>[^/]+)"
_WAIT = re.compile(r"wait=(\d+)")


def submit(fake: FakeImagemill, asked: Asked) -> Told:
    """POST /v1/jobs."""
    body = asked.json()
    places = faults(body, fake.files)
    if places:
        raise invalid(places)
    if asked.query.get("validate_only") == "true":
        return told(_validation(fake, body))
    return _once(fake, asked, lambda: fake.submitted(body, items_of(body, fake.files)))


def _once(fake: FakeImagemill, asked: Asked, make: Callable[[], FakeJob]) -> Told:
    key, digest = (
        asked.headers.get("idempotency-key"),
        hashlib.sha256(asked.path.encode() + asked.body).hexdigest(),
    )
    known = fake.keys.get(key) if key else None
    if known and known[1] != digest:
        title = "The idempotency key belongs to another submission"
        raise ApiProblem("idempotency-key-reused", 422, title, "a new content needs a new key")
    if known:
        return told(_answers.status(fake.jobs[known[0]]), 200, idempotency_replayed="true")
    job = make()
    if key:
        fake.keys[key] = (job.id, digest)
    return told(_answers.status(job), 202, location=f"/v1/jobs/{job.id}", retry_after="1")


def _validation(fake: FakeImagemill, body: Json) -> Json:
    items = items_of(body, fake.files)
    estimate = _answers.estimate(items, fake.price)
    limit = Decimal(body["budget"]["limit_usd"])
    enough = "surely" if limit >= Decimal(estimate["high_usd"]) else "not_for_all"
    return {
        "id": "validation_1", "object": "validation", "items": len(items), "invalid_rows": None,
        "estimate": estimate, "limit_usd": _answers.usd(limit),
        "enough": enough if limit >= fake.price else "not_for_any", "failure": None, "warnings": [],
    }  # fmt: skip


def listed(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/jobs."""
    wanted = {
        name.removeprefix("metadata."): value for name, value in asked.query.items() if "metadata." in name
    }
    found = [
        job
        for job in reversed(fake.jobs.values())
        if asked.query.get("state") in (None, job.state)
        and (job.body.get("name") or "").startswith(asked.query.get("name", ""))
        and wanted.items() <= (job.body.get("metadata") or {}).items()
    ]
    return page(found, asked, lambda job: job.id, _answers.line)


def status(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/jobs/{job}: asking lets the job go on."""
    job = _job(fake, asked)
    fake.polled(job)
    known = asked.headers.get("if-none-match")
    wait = _WAIT.search(asked.headers.get("prefer", ""))
    headers = {"etag": _tag(job), "retry-after": "1"}
    if wait:
        headers["preference-applied"] = wait[0]
    if known != _tag(job):
        return Told(200, json.dumps(_answers.status(job)).encode(), headers)
    if wait and not job.ended:
        fake.sleep(float(wait[1]))
    return Told(304, headers=headers)


def pause(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/pause."""
    job = _open(fake, asked, "pause")
    fake.set_state(job, "paused")
    return told(_answers.status(job), 202)


def resume(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/resume."""
    job = _open(fake, asked, "resume")
    if job.state in ("paused", "held"):
        fake.release(job)
    return told(_answers.status(job), 202)


def cancel(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/cancel."""
    job = _job(fake, asked)
    if job.state != "cancelled":
        fake.cancel(_open(fake, asked, "cancel"))
    return told(_answers.status(job), 202)


def update(fake: FakeImagemill, asked: Asked) -> Told:
    """PATCH /v1/jobs/{job}: a raised cap lets a job go on that it held."""
    body, job = asked.json(), _job(fake, asked)
    if not body:
        raise invalid([("/", "nothing is to be changed: give a budget, a priority or a webhook")])
    if "webhook" in body:
        job.webhook = body["webhook"]
    if body.keys() - {"webhook"}:
        _open(fake, asked, "change")
    budget = body.get("budget") or {}
    job.body["budget"] = job.body["budget"] | budget
    job.limit = Decimal(job.body["budget"]["limit_usd"])
    job.priority = body.get("priority") or job.priority
    fake.changed(job)
    if budget and job.hold and job.hold["code"] == "budget":
        fake.release(job)
    return told(_answers.status(job), 202)


def retry(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/retry: a new job of the items that another one did not get."""
    before, body = _job(fake, asked), asked.json()
    if not before.ended:
        raise ApiProblem("job-not-ended", 409, "The job has not ended", f"job {before.id} is {before.state}")
    states, named = body.get("states") or ["failed", "skipped"], body.get("items")
    again = [
        replace(item, state="pending", code=None, detail="", cost=Decimal(0))
        for item in before.items
        if (item.state in states if named is None else item.custom_id in named)
    ]
    if not again:
        raise invalid([("/states", f"job {before.id} has no item that ended as {' or '.join(states)}")])
    return _once(fake, asked, lambda: fake.submitted(before.body | body, again, retry_of=before.id))


def report(fake: FakeImagemill, asked: Asked) -> Told:
    """GET …/report."""
    job = _job(fake, asked)
    if not job.ended:
        raise ApiProblem("job-not-ended", 409, "The job has not ended", f"job {job.id} is {job.state}")
    return told(_answers.report(job))


def share(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/share."""
    job = _job(fake, asked)
    if not job.ended:
        raise ApiProblem("job-not-ended", 409, "The job has not ended", f"job {job.id} is {job.state}")
    expires = asked.json().get("expires_seconds", 604_800)
    urls = {
        f"{name}_url": signed_url(fake, f"{job.id}/{name}.html", expires)
        for name in ("gallery", "contact_sheet")
    }
    return told({"object": "share", "expires_at": _answers.time(fake.later(expires))} | urls)


def items(fake: FakeImagemill, asked: Asked) -> Told:
    """GET …/items: places in the order of the manifest, as the real cursor has them."""
    job, state = _job(fake, asked), asked.query.get("state")
    start = int(asked.query.get("after", "-1")) + 1
    found = [
        (place, item)
        for place, item in enumerate(job.items)
        if place >= start and state in (None, item.state)
    ]
    shown = found[: asked.limit]
    return told(
        {
            "object": "list",
            "data": [_answers.item(job, item, lambda key: signed_url(fake, key)) for _, item in shown],
            "has_more": len(found) > len(shown),
            "last": str(shown[-1][0]) if shown else None,
            "stale": False,
        }
    )


def item(fake: FakeImagemill, asked: Asked) -> Told:
    """GET …/items/{custom_id}."""
    job, found = _item(fake, asked)
    return told(_answers.item(job, found, lambda key: signed_url(fake, key)))


def image(fake: FakeImagemill, asked: Asked) -> Told:
    """GET …/images/{n}: leads to the bytes."""
    job, found = _item(fake, asked)
    n = int(asked.names["n"])
    if asked.query.get("rendition") not in (None, "thumbnail"):
        raise missing(f"rendition {asked.query['rendition']!r} of the image")
    if found.state != "succeeded" or not 1 <= n <= found.n:
        raise missing(f"image {n} of item {found.custom_id!r}")
    return Told(302, headers={"location": signed_url(fake, found.key(job.id, n))})


def _job(fake: FakeImagemill, asked: Asked) -> FakeJob:
    job = fake.jobs.get(asked.names["job"])
    if job is None:
        raise missing(f"job {asked.names['job']}")
    return job


def _open(fake: FakeImagemill, asked: Asked, what: str) -> FakeJob:
    job = _job(fake, asked)
    if job.ended:
        detail = f"job {job.id} has ended as {job.state}; there is nothing to {what}"
        raise ApiProblem("job-ended", 409, "The job has ended", detail)
    return job


def _item(fake: FakeImagemill, asked: Asked) -> tuple[FakeJob, FakeItem]:
    job, custom_id, variant = _job(fake, asked), asked.names["custom_id"], asked.query.get("variant")
    of_it = [item for item in job.items if item.custom_id == custom_id]
    for found in of_it:
        if found.variant == variant:
            return job, found
    if of_it and variant is None:
        detail = f"say which variant of {custom_id!r}: ?variant={of_it[0].variant}"
        raise ApiProblem("variant-needed", 422, "The item comes in several variants", detail)
    raise missing(f"item {custom_id!r} in job {job.id}")


def _tag(job: FakeJob) -> str:
    return f'W/"{json.dumps(job.version)}"'


ROUTES = (
    ("POST", JOBS, submit),
    ("GET", JOBS, listed),
    ("GET", JOB, status),
    ("PATCH", JOB, update),
    ("POST", f"{JOB}/pause", pause),
    ("POST", f"{JOB}/resume", resume),
    ("POST", f"{JOB}/cancel", cancel),
    ("POST", f"{JOB}/retry", retry),
    ("GET", f"{JOB}/report", report),
    ("POST", f"{JOB}/share", share),
    ("GET", f"{JOB}/items", items),
    ("GET", rf"{ITEM}/images/(?P<n>\d+)", image),
    ("GET", ITEM, item),
)
