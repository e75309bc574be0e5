"""Checks a submission before anything is spent, and writes it down so that it is started exactly once.

1. check it: templates, columns, models, settings, ids; every problem is told at once;
2. write ``request.json``, then the record of its idempotency key by a conditional put;
3. start the workflow, and only then answer.

Whoever comes with the same key finds the record, and starts what was never started. A client without a
key whose SDK says that it tries again is given, once a try, a job that was made of the same content a
moment ago.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.context import Context
from api.models import ItemBody, JobBody, ManifestBody, VariantBody
from api.problems import JOB_LOST, KEY_REUSED, Problem
from imagemill.claims import claim
from imagemill.domain.errors import InvalidInput, ObjectMissing
from imagemill.domain.ids import made_at, new_id
from imagemill.domain.job import InlineItem, JobSummary, Manifest, Submission, Variant
from imagemill.domain.messages import JobStart, Workplace
from imagemill.domain.money import parse_usd
from imagemill.domain.places import file_key, idempotency_key, recent_prefix, report_key, request_key
from imagemill.domain.request import ImageRequest, ImageSettings
from imagemill.manifest import HEAD_BYTES, check_head
from imagemill.templating.check import template_problems

NAME_VARIABLES = ("custom_id", "variant", "n", "ext")
RECENT = timedelta(minutes=10)
"""Within this time a client that tries again means the submission before."""

RETENTION = timedelta(days=30)
"""How long the engine remembers a job that has ended; its namespace's setting."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submission that is durably started."""

    job: str
    replayed: bool


async def submit(
    parts: Context, tenant: str, body: JobBody, key: str | None = None, retry: int = 0
) -> Accepted:
    """Check, record and start a submission.

    ``retry`` is which try of the client's SDK this is, by its own word; 0 is the first.

    Raises:
        InvalidInput: it can't be run as it is; nothing was written.
        Problem: its idempotency key belongs to another submission, or to a job that is lost.
    """
    fingerprint = hashlib.sha256(body.model_dump_json(exclude_defaults=True).encode()).hexdigest()
    if key and (known := await _known(parts, tenant, key, fingerprint)):
        return known
    if not key and retry and (claimed := await _claim_recent(parts, tenant, fingerprint, retry)):
        return claimed
    problems = await _check(parts, tenant, body)
    if problems:
        raise InvalidInput(problems)
    submission = _submission(new_id("job"), tenant, body)
    where = request_key(tenant, submission.job)
    await parts.control.put(where, submission.model_dump_json(exclude_none=True).encode())
    if key and not await _record(parts, submission, key, fingerprint):
        await parts.control.delete(where)
        known = await _known(parts, tenant, key, fingerprint)
        if known:
            return known
    if not key:
        await parts.control.put(recent_prefix(tenant, fingerprint) + submission.job, b"{}")
    await parts.engine.start_job(job_start(parts, submission))
    return Accepted(submission.job, replayed=False)


def job_start(parts: Context, submission: Submission) -> JobStart:
    """What the workflow of a submission starts with."""
    place = Workplace(
        job=submission.job,
        tenant=submission.tenant,
        image_queue=parts.work.image_queue,
        priority=submission.priority,
        on_unknown=submission.on_unknown,
        times=parts.times,
        window=parts.work.window,
        chunks_at_once=parts.work.chunks_at_once,
    )
    summary = JobSummary(
        tenant=submission.tenant,
        name=submission.name,
        submitted_at=submission.submitted_at,
        items=len(submission.items) if submission.items is not None else None,
        cap_nano=submission.cap_nano,
    )
    return JobStart(place=place, summary=summary)


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
    if await _has_report(parts, tenant, job):
        return
    if datetime.now(UTC) - datetime.fromisoformat(record["at"]) > RETENTION / 2:
        raise Problem(JOB_LOST, f"job {job} was submitted at {record['at']}, and has left no report")
    await _start_recorded(parts, tenant, job)


async def _has_report(parts: Context, tenant: str, job: str) -> bool:
    try:
        await parts.control.head(report_key(tenant, job))
    except ObjectMissing:
        return False
    return True


async def _start_recorded(parts: Context, tenant: str, job: str) -> None:
    submission = Submission.model_validate_json(await parts.control.get(request_key(tenant, job)))
    await parts.engine.start_job(job_start(parts, submission))


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


# --- checks --------------------------------------------------------------------------------------


async def _check(parts: Context, tenant: str, body: JobBody) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    if body.output.key is not None:
        found = template_problems(body.output.key, names=NAME_VARIABLES)
        problems += [("/output/key", what) for what in found]
    if body.manifest:
        problems += await _manifest_problems(parts, tenant, body, body.manifest)
    for index, item in enumerate(body.items or []):
        settings = _own(item).over(body.defaults)
        problems += _settings_problems(parts, settings, f"/items/{index}", own=item)
    return problems + _duplicates(body.items or [])


async def _manifest_problems(
    parts: Context, tenant: str, body: JobBody, manifest: ManifestBody
) -> list[tuple[str, str]]:
    try:
        head = await parts.control.start_of(file_key(tenant, manifest.file_id), HEAD_BYTES)
    except ObjectMissing:
        return [("/manifest/file_id", f"there is no file {manifest.file_id}; upload it to /v1/files first")]
    columns = check_head(head, manifest.format)
    problems = [
        (f"/manifest/{name}", what)
        for name in ("id", "prompt", "where")
        if (text := getattr(manifest, name)) is not None
        for what in template_problems(text, columns=columns)
    ]
    for index, variant in enumerate(manifest.variants):
        settings = _own(variant).over(body.defaults)
        problems += _settings_problems(parts, settings, f"/manifest/variants/{index}", own=variant)
    if not manifest.variants:
        problems += _settings_problems(parts, body.defaults, "/defaults", own=body.defaults)
    names = [variant.name for variant in manifest.variants]
    twice = {name for name in names if names.count(name) > 1}
    return problems + [
        ("/manifest/variants", f"two variants have the name {name!r}") for name in sorted(twice)
    ]


def _settings_problems(
    parts: Context, settings: ImageSettings, place: str, own: ImageSettings
) -> list[tuple[str, str]]:
    """What is wrong with an item's settings, each at the place that it came from."""
    if settings.model is None:
        return [("/defaults/model", "no model is named, neither here nor in the item")]
    request = ImageRequest(prompt="", **settings.model_dump(exclude_none=True))
    found = parts.catalogue.problems(request)
    return [
        (f"{place}/{name}" if getattr(own, name) is not None else f"/defaults/{name}", what)
        for name, what in found
    ]


def _duplicates(items: list[ItemBody]) -> list[tuple[str, str]]:
    first: dict[str, int] = {}
    found = []
    for index, item in enumerate(items):
        if item.custom_id in first:
            where = f"/items/{first[item.custom_id]}"
            found.append((f"/items/{index}/custom_id", f"{item.custom_id!r} is the id of {where} already"))
        first.setdefault(item.custom_id, index)
    return found


def _own(settings: ImageSettings) -> ImageSettings:
    return ImageSettings(**settings.model_dump(include=set(ImageSettings.model_fields)))


# --- the record ----------------------------------------------------------------------------------


def _submission(job: str, tenant: str, body: JobBody) -> Submission:
    return Submission(
        job=job,
        tenant=tenant,
        submitted_at=datetime.now(UTC),
        name=body.name,
        defaults=body.defaults,
        items=None if body.items is None else [InlineItem(**item.model_dump()) for item in body.items],
        manifest=body.manifest and _manifest(body.manifest),
        key=body.output.key,
        cap_nano=parse_usd(body.budget.limit_usd),
        on_unknown=body.on_unknown,
        priority=body.priority,
    )


def _manifest(manifest: ManifestBody) -> Manifest:
    variants = [_variant(variant) for variant in manifest.variants]
    return Manifest(**manifest.model_dump(exclude={"variants"}), variants=variants)


def _variant(variant: VariantBody) -> Variant:
    return Variant(**variant.model_dump())
