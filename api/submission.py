"""Checks a submission before anything is spent, and writes it down so that it is started exactly once.

1. check it: templates, columns, models, settings, ids; every problem is told at once;
2. write ``request.json`` while the tenant's account is seen to;
3. write the record of its idempotency key by a conditional put;
4. start the workflow, and only then answer.

Whoever comes with the same key finds the record, and starts what was never started. A client without a
key whose SDK says that it tries again is given, once a try, a job that was made of the same content a
moment ago.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import Response
from pydantic import BaseModel

from api.accounts import open_account
from api.checks import prices_of, problems_of
from api.context import Context
from api.manifests import manifest_of
from api.models import JobAnswer, JobBody, WebhookBody
from api.problems import JOB_LOST, KEY_REUSED, UNAVAILABLE, Problem
from api.status import new_answer, status_of
from api.webhook_target import set_webhook, webhook_warnings
from imagemill.claims import claim
from imagemill.domain.errors import InvalidInput, ObjectMissing, StoreError
from imagemill.domain.ids import made_at, new_id
from imagemill.domain.job import InlineItem, JobSummary, Submission
from imagemill.domain.money import parse_usd
from imagemill.domain.places import idempotency_key, recent_prefix, report_key, request_key
from imagemill.presence import is_there

RECENT = timedelta(minutes=10)
"""Within this time a client that tries again means the submission before."""

RETENTION = timedelta(days=30)
"""How long the engine remembers a job that has ended; its namespace's setting."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submission that is durably started."""

    job: str
    replayed: bool
    summary: JobSummary | None = None
    """What it was started with, where it was started now."""


@dataclass(frozen=True, slots=True)
class Once:
    """By what a submission is told from another one.

    ``body`` is the hash of its content; ``key`` the caller's idempotency key; ``retry`` which try of the
    client's SDK this is, by its own word, 0 being the first.
    """

    body: str
    key: str | None = None
    retry: int = 0


def fingerprint(body: BaseModel, of: str = "") -> str:
    """The hash of a submission's content; ``of`` is what it is about, where its address says that."""
    return hashlib.sha256(of.encode() + body.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def answer_accepted(response: Response, accepted: Accepted) -> None:
    """What the answer's head says of an accepted submission."""
    response.headers["Location"] = f"/v1/jobs/{accepted.job}"
    response.headers["Retry-After"] = "1"
    if accepted.replayed:
        response.status_code = 200
        response.headers["Idempotency-Replayed"] = "true"


async def submit(
    parts: Context, tenant: str, body: JobBody, key: str | None = None, retry: int = 0
) -> Accepted:
    """Check, record and start a job.

    Raises:
        InvalidInput: it can't be run as it is; nothing was written.
        Problem: its idempotency key belongs to another submission, or to a job that is lost.
    """

    async def made() -> Submission:
        problems = await problems_of(parts, tenant, body)
        if problems:
            raise InvalidInput(problems)
        return record_of(new_id("job"), tenant, body)

    return await accept(parts, tenant, Once(fingerprint(body), key, retry), made, body.webhook)


async def accept(
    parts: Context,
    tenant: str,
    once: Once,
    made: Callable[[], Awaitable[Submission]],
    webhook: WebhookBody | None = None,
) -> Accepted:
    """Record and start a submission, unless it was before.

    ``made`` checks it and makes the record; it is called only where there is none yet. ``webhook`` is
    where its events go, which is kept apart.
    """
    key, fingerprint = once.key, once.body
    if key and (known := await _known(parts, tenant, key, fingerprint)):
        return known
    if not key and once.retry and (claimed := await _claim_recent(parts, tenant, fingerprint, once.retry)):
        return claimed
    submission = await made()
    warnings = await _prepare(parts, submission, webhook)
    start = parts.starter.job_start(submission, warnings)
    if key and not await _record(parts, submission, key, fingerprint):
        await _take_back(parts, submission, webhook)
        known = await _known(parts, tenant, key, fingerprint)
        if known is None:
            raise Problem(UNAVAILABLE, "the record of this Idempotency-Key has just been removed")
        return known
    if not key:
        await parts.control.put(recent_prefix(tenant, fingerprint) + submission.job, b"{}")
    await parts.engine.start_job(start)
    return Accepted(submission.job, replayed=False, summary=start.summary)


async def status_accepted(parts: Context, tenant: str, accepted: Accepted) -> JobAnswer:
    """The status of a submission; that of a job which has just been started needs no look at the engine."""
    if accepted.summary:
        return new_answer(parts, accepted.job, accepted.summary)
    return await status_of(parts, tenant, accepted.job)


# --- writing it down -----------------------------------------------------------------------------


async def _prepare(parts: Context, submission: Submission, webhook: WebhookBody | None) -> list[str]:
    """All that must be there before the record is, whose finder may start the job; answers warnings.

    None of it counts before the record, so its parts are done side by side. If one fails, the others are
    waited for and taken back.
    """
    tenant, job = submission.tenant, submission.job
    request = submission.model_dump_json(exclude_none=True).encode()
    parallel = [open_account(parts, tenant), parts.control.put(request_key(tenant, job), request)]
    if webhook:
        parallel.append(set_webhook(parts, tenant, job, webhook))
    ends = await asyncio.gather(*parallel, return_exceptions=True)
    for error in filter(None, ends):
        with suppress(StoreError):  # what stays then is of a job that nobody has heard of
            await _take_back(parts, submission, webhook)
        raise error
    return await webhook_warnings(parts, tenant, webhook)


async def _take_back(parts: Context, submission: Submission, webhook: WebhookBody | None) -> None:
    await parts.control.delete(request_key(submission.tenant, submission.job))
    if webhook:
        await set_webhook(parts, submission.tenant, submission.job, None)


# --- once ----------------------------------------------------------------------------------------


async def _record(parts: Context, submission: Submission, key: str, fingerprint: str) -> bool:
    record = {"job": submission.job, "body": fingerprint, "at": submission.submitted_at.isoformat()}
    return await claim(parts.control, idempotency_key(submission.tenant, key), json.dumps(record).encode())


async def _known(parts: Context, tenant: str, key: str, fingerprint: str) -> Accepted | None:
    """The job that this key was answered with, started if it never was."""
    try:
        record = json.loads(await parts.control.get(idempotency_key(tenant, key)))
    except ObjectMissing:
        return None
    if record["body"] != fingerprint:
        raise Problem(KEY_REUSED, f"this Idempotency-Key was used for job {record['job']}, with another body")
    if await parts.engine.job_summary(record["job"]) is None:
        await _start_late(parts, tenant, record)
    return Accepted(record["job"], replayed=True)


async def _start_late(parts: Context, tenant: str, record: dict[str, str]) -> None:
    """The engine does not know it: it was never started, or so long ago that it was forgotten."""
    job = record["job"]
    if await is_there(parts.control, report_key(tenant, job)):
        return
    if datetime.now(UTC) - datetime.fromisoformat(record["at"]) > RETENTION / 2:
        raise Problem(JOB_LOST, f"job {job} was submitted at {record['at']}, and has left no report")
    await _start_recorded(parts, tenant, job)


async def _start_recorded(parts: Context, tenant: str, job: str) -> None:
    submission = Submission.model_validate_json(await parts.control.get(request_key(tenant, job)))
    await parts.engine.start_job(parts.starter.job_start(submission))


async def _claim_recent(parts: Context, tenant: str, fingerprint: str, retry: int) -> Accepted | None:
    """A job of the same content, made a moment ago, that no other client's same try was given.

    Several jobs of the same content may be meant: each of them is given to one try of that number.
    """
    prefix = recent_prefix(tenant, fingerprint)
    since = time.time() - RECENT.total_seconds()
    names = [key.removeprefix(prefix) async for key in parts.control.keys(prefix)]
    for job in names:
        if "/" in job or made_at(job) < since:
            continue  # a claim, or too long ago
        if await claim(parts.control, f"{prefix}{job}/{retry}", new_id("claim").encode()):
            await _start_recorded(parts, tenant, job)
            return Accepted(job, replayed=True)
    return None


# --- the record ----------------------------------------------------------------------------------


def record_of(job: str, tenant: str, body: JobBody) -> Submission:
    """A submission as it is written down."""
    return Submission(
        job=job,
        tenant=tenant,
        submitted_at=datetime.now(UTC),
        name=body.name,
        defaults=body.defaults,
        items=None if body.items is None else [InlineItem(**item.model_dump()) for item in body.items],
        manifest=body.manifest and manifest_of(body.manifest),
        key=body.output.key,
        cap_nano=parse_usd(body.budget.limit_usd),
        on_exhausted=body.budget.on_exhausted,
        on_unknown=body.on_unknown,
        prices_nano=prices_of(body),
        priority=body.priority,
        pools=body.pools,
        webhook_events=list(body.webhook.events) if body.webhook else [],
        renditions=body.renditions,
        metadata=body.metadata,
        reuse=body.reuse,
    )
