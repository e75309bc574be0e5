"""The status of a job: its memo and those of its running chunks; long after its end its report.

The job is read first and its chunks after it, so that what a chunk has handed over is counted once,
and counts never go backwards.
"""

import asyncio
import json
import re
from datetime import UTC, datetime
from typing import Any

from api.context import Context
from api.models import (
    CostAnswer,
    EstimateAnswer,
    HoldAnswer,
    InvalidRow,
    InvalidRows,
    ItemCounts,
    JobAnswer,
)
from api.problems import JOB_LOST, NOT_FOUND, Problem
from api.snapshots import Snapshot, next_number, read_facts
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import ObjectMissing, explain
from imagemill.domain.item import Problem as ItemProblem
from imagemill.domain.job import Counts, Hold, JobSummary, Progress, Report
from imagemill.domain.job_states import ENDED
from imagemill.domain.money import format_usd
from imagemill.domain.places import claim_key, plan_index_key, report_key, request_key
from imagemill.domain.pricing import Estimate
from imagemill.presence import is_there

JOB_ID = re.compile(r"job_[0-9A-Za-z_]{1,60}")
SHOWN_ROWS = 100
KEPT_ROWS = 100
"""Of so many jobs the bad rows are kept in memory."""


def check_id(job: str) -> None:
    """Ids become workflow ids and keys of objects: what can't be one is asked of nobody.

    Raises:
        Problem: there can be no job of that id.
    """
    if not JOB_ID.fullmatch(job):
        raise Problem(NOT_FOUND, f"there is no job {job}")


async def summary_of(parts: Context, tenant: str, job: str) -> JobSummary:
    """What is known of a job without its running chunks.

    Raises:
        Problem: the tenant has no such job, or it is lost.
    """
    check_id(job)
    summary = await parts.engine.job_summary(job)
    if summary and summary.state == "duplicate":
        summary = await _claimed(parts, tenant, job)
    if summary is None:
        summary = await _reported(parts, tenant, job)
    if summary is None or summary.tenant != tenant:
        raise Problem(NOT_FOUND, f"there is no job {job}")
    return summary


async def status_of(parts: Context, tenant: str, job: str) -> JobAnswer:
    """The status of a job."""
    return await answer_of(parts, tenant, await snapshot_of(parts, tenant, job))


async def snapshot_of(parts: Context, tenant: str, job: str) -> Snapshot:
    """A job as it is now, unparsed: first the job, then those chunks that it said were running.

    A chunk that ends in between keeps its last word in its own memo, and is counted from there.

    Raises:
        Problem: the tenant has no such job, or it is lost.
    """
    number = next_number()
    data, facts = await _job_data(parts, tenant, job)
    snapshot = Snapshot(job, data, facts, number)
    memos = await asyncio.gather(*(parts.engine.chunk_memo(job, chunk) for chunk in snapshot.open_chunks))
    snapshot.chunks = [memo.data for memo in memos if memo]
    return snapshot


async def answer_of(parts: Context, tenant: str, snapshot: Snapshot) -> JobAnswer:
    """A snapshot as callers see it."""
    summary = snapshot.summary
    rows = await _invalid_rows(parts, tenant, snapshot.job, summary.invalid_rows)
    return _answer(snapshot.job, summary, snapshot.progress, rows, parts.catalogue)


def new_answer(parts: Context, job: str, summary: JobSummary) -> JobAnswer:
    """A job as it was when it was started with this summary, a moment ago."""
    return _answer(job, summary, summary.ended, None, parts.catalogue)


async def body_of(parts: Context, tenant: str, snapshot: Snapshot) -> bytes:
    """The same as JSON, made once for all who share the snapshot."""
    if snapshot.body is None:
        snapshot.body = (await answer_of(parts, tenant, snapshot)).model_dump_json().encode()
    return snapshot.body


async def _job_data(parts: Context, tenant: str, job: str) -> tuple[bytes, dict[str, Any]]:
    check_id(job)
    memo = await parts.engine.job_memo(job)
    if memo:
        facts = read_facts(memo.data)
        plain = memo.going_on or facts["state"] in ENDED
        if plain and facts["state"] != "duplicate" and facts["tenant"] == tenant:
            return memo.data, facts
    summary = await summary_of(parts, tenant, job)
    data = summary.model_dump_json().encode()
    return data, read_facts(data)


async def _claimed(parts: Context, tenant: str, job: str) -> JobSummary | None:
    """The run that claimed the job, where another one, started by mistake, hides it."""
    try:
        claim = json.loads(await parts.control.get(claim_key(tenant, job)))
    except ObjectMissing:
        return None
    return await _reported(parts, tenant, job) or await parts.engine.job_summary(job, run=claim["run"])


async def _reported(parts: Context, tenant: str, job: str) -> JobSummary | None:
    try:
        return Report.model_validate_json(await parts.control.get(report_key(tenant, job))).summary
    except ObjectMissing:
        pass
    if not await is_there(parts.control, request_key(tenant, job)):
        return None
    raise Problem(JOB_LOST, f"job {job} was submitted, but neither the engine nor the store has its end")


async def _invalid_rows(parts: Context, tenant: str, job: str, count: int) -> InvalidRows | None:
    """They are written once, at planning: those who poll a job with bad rows do not read them each time."""
    if not count:
        return None
    known = parts.bad_rows.get(job)
    if known is None:
        index = json.loads(await parts.control.get(plan_index_key(tenant, job)))
        known = parts.bad_rows[job] = invalid_rows(count, index["problems"])
        while len(parts.bad_rows) > KEPT_ROWS:
            parts.bad_rows.pop(next(iter(parts.bad_rows)))
    return known


def invalid_rows(count: int, problems: list[dict[str, Any]]) -> InvalidRows:
    """The bad rows, the first of them in words."""
    return InvalidRows(count=count, first=[InvalidRow(**row) for row in problems[:SHOWN_ROWS]])


def _answer(
    job: str, summary: JobSummary, progress: Progress, rows: InvalidRows | None, catalogue: Catalogue
) -> JobAnswer:
    counts = progress.counts
    pending = None if summary.items is None else summary.items - counts.terminal - progress.running
    per_minute = _rate(summary, counts.images)
    hold = (summary.hold or progress.hold) if summary.state == "held" else None
    # A chunk has gone on, and its job has not heard of it yet.
    state = "running" if summary.state == "held" and hold is None else summary.state
    return JobAnswer(
        id=job,
        name=summary.name,
        state=state,
        priority=summary.priority,
        retry_of=summary.parent,
        created_at=summary.submitted_at,
        started_at=summary.started_at,
        ended_at=summary.ended_at,
        items=ItemCounts(
            total=summary.items,
            pending=pending,
            running=progress.running,
            **counts.model_dump(exclude={"images"}),
        ),
        images=counts.images,
        uncertain=progress.uncertain,
        cost=_cost(summary, progress),
        estimate=summary.estimate and estimate_answer(summary.estimate),
        warnings=summary.warnings,
        images_per_minute=per_minute,
        seconds_left=_left(summary, counts),
        hold=hold and _hold(hold, catalogue),
        failure=_failure(summary),
        invalid_rows=rows,
        manifest=summary.manifest,
        metadata=summary.metadata,
        links={name: f"/v1/jobs/{job}{path}" for name, path in _LINKS.items()},
    )


def _cost(summary: JobSummary, progress: Progress) -> CostAnswer:
    known = progress.settled_nano + progress.written_off_nano + progress.reserved_nano
    return CostAnswer(
        settled_usd=format_usd(progress.settled_nano),
        reserved_usd=format_usd(progress.reserved_nano),
        written_off_usd=format_usd(progress.written_off_nano),
        committed_usd=format_usd(max(known, summary.committed_nano)),
        limit_usd=format_usd(summary.cap_nano),
    )


def _hold(hold: Hold, catalogue: Catalogue) -> HoldAnswer:
    return HoldAnswer(
        code=hold.code,
        detail=explain(hold.code) + _of_what(hold, catalogue),
        since=hold.since,
        next_probe=hold.next_probe,
        smallest_usd=None if hold.smallest_nano is None else format_usd(hold.smallest_nano),
        likely_usd=None if hold.likely_nano is None else format_usd(hold.likely_nano),
        until=hold.until,
    )


def _of_what(hold: Hold, catalogue: Catalogue) -> str:
    """Which account and model a provider's trouble is about, and what follows the model."""
    said = f" Pool {hold.pool}, model {hold.model}." if hold.pool and hold.model else ""
    successor = hold.model and hold.code == "model_not_found" and catalogue.successor(hold.model)
    return said + (f" {successor} follows {hold.model}." if successor else "")


def estimate_answer(estimate: Estimate) -> EstimateAnswer:
    """An estimate in dollars."""
    return EstimateAnswer(
        low_usd=format_usd(estimate.low_nano),
        expected_usd=format_usd(estimate.expected_nano),
        high_usd=format_usd(estimate.high_nano),
        uncertain=estimate.uncertain,
        reused=estimate.reused,
    )


_LINKS = {
    "self": "",
    "items": "/items",
    "results": "/results",
    "report": "/report",
    "events": "/events",
    "cancel": "/cancel",
}


def _failure(summary: JobSummary) -> ItemProblem | None:
    if not summary.failure:
        return None
    return ItemProblem(code=summary.failure, detail=summary.failure_detail or explain(summary.failure))


def _elapsed(summary: JobSummary) -> float:
    if summary.started_at is None:
        return 0.0
    return ((summary.ended_at or datetime.now(UTC)) - summary.started_at).total_seconds()


def _rate(summary: JobSummary, images: int) -> float | None:
    elapsed = _elapsed(summary)
    return round(images * 60 / elapsed, 1) if elapsed > 0 and images else None


def _left(summary: JobSummary, counts: Counts) -> float | None:
    """By the items that took their time: those that were reused say nothing of the others."""
    if summary.state in ENDED:
        return 0.0
    timed = counts.terminal - counts.reused
    if timed <= 0 or summary.items is None:
        return None
    reused = summary.estimate.reused if summary.estimate else counts.reused
    waiting = max(0, summary.items - timed - max(reused, counts.reused))
    return round(_elapsed(summary) / timed * waiting, 1)
