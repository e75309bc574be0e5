"""POST /v1/jobs/{id}/retry: a child job of the items that another one did not get."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Response
from pydantic import Field

from api.context import Context, context, tenant
from api.models import Body, BudgetBody, JobAnswer, JobName, PoolNames, Priority, WebhookBody
from api.openapi_headers import headers
from api.problems import INVALID, JOB_LOST, JOB_RUNS, KEY_REUSED, NO_CAP, NO_REPORT, Problem, problems
from api.status import summary_of
from api.submission import Once, accept, answer_accepted, fingerprint, status_accepted
from api.webhook_target import webhook_problems
from imagemill.domain.budget import UNKNOWN_MODEL
from imagemill.domain.errors import InvalidInput, ObjectMissing
from imagemill.domain.ids import new_id
from imagemill.domain.job import JobSummary, OnUnknown, Report, Retry, Submission
from imagemill.domain.job_states import ENDED
from imagemill.domain.money import parse_usd
from imagemill.domain.places import report_key, request_key
from imagemill.pool_problems import pool_problems

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

State = Literal["failed", "blocked", "skipped", "cancelled"]
MOST_NAMED = 10_000


class RetryBody(Body):
    """Which items to buy again, and what that may cost. Everything else is as the job before had it."""

    states: list[State] = Field(
        default=["failed", "skipped"],
        min_length=1,
        max_length=4,
        description="Items that ended in one of these. Rows that could not be read are left out.",
    )
    items: list[Annotated[str, Field(min_length=1, max_length=256)]] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_NAMED,
        description="Items by their custom_id, whatever their state, in the place of ``states``.",
    )
    budget: BudgetBody
    name: JobName | None = None
    on_unknown: OnUnknown | None = None
    pools: PoolNames | None = None
    priority: Priority | None = None
    webhook: WebhookBody | None = None


@router.post(
    "/{job}/retry",
    status_code=202,
    summary="Try the failed items again, as a new job",
    response_model=JobAnswer,
    responses={
        200: {"model": JobAnswer} | headers("Location", "Idempotency-Replayed", "Retry-After"),
        202: headers("Location", "Retry-After"),
        **problems(INVALID, KEY_REUSED, NO_CAP, JOB_RUNS, JOB_LOST, NO_REPORT),
    },
)
async def retry_job(
    *,
    job: str,
    body: RetryBody,
    response: Response,
    parts: Annotated[Context, Depends(context)],
    owner: Annotated[str, Depends(tenant)],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    x_stainless_retry_count: Annotated[int, Header(ge=0)] = 0,
) -> JobAnswer:
    """Starts a child job of items of a job that has ended; its images lie under the child's own prefix.

    The prompts and settings are those of the plan before; prices are those of today.
    """
    report = await _ended(parts, owner, job)
    once = Once(fingerprint(body, job), idempotency_key, x_stainless_retry_count)

    async def made() -> Submission:
        before = await _submission(parts, owner, job)
        await _check(parts, body, before, report)
        return _child(parts, before, body)

    accepted = await accept(parts, owner, once, made, body.webhook)
    answer_accepted(response, accepted)
    return await status_accepted(parts, owner, accepted)


async def _ended(parts: Context, owner: str, job: str) -> Report:
    summary = await summary_of(parts, owner, job)
    if summary.state not in ENDED:
        raise Problem(
            JOB_RUNS, f"job {job} is {summary.state}; its items can be tried again once it has ended"
        )
    try:
        return Report.model_validate_json(await parts.control.get(report_key(owner, job)))
    except ObjectMissing:
        detail = (
            f"job {job} was ended by hand; what became of its items can't be told, so none is bought again"
        )
        raise Problem(NO_REPORT, detail) from None


async def _submission(parts: Context, owner: str, job: str) -> Submission:
    try:
        return Submission.model_validate_json(await parts.control.get(request_key(owner, job)))
    except ObjectMissing:
        raise Problem(INVALID, f"the submission of job {job} is not kept any more") from None


async def _check(parts: Context, body: RetryBody, before: Submission, report: Report) -> None:
    pools = before.pools if body.pools is None else body.pools
    models = {line.model for line in report.lines} - {UNKNOWN_MODEL}
    found = pool_problems(parts.pools, pools, models, parts.pools_of(before.tenant))
    found += await webhook_problems(parts, before.tenant, body.webhook)
    if report.summary.failure:
        found.append(("/items", f"job {before.job} failed before it had any items; submit it again instead"))
    elif body.items is None and not _count(body, report.summary):
        states = " or ".join(body.states)
        found.append(("/states", f"job {before.job} has no item that ended as {states} and could be bought"))
    if found:
        raise InvalidInput(found)


def _count(body: RetryBody, summary: JobSummary) -> int:
    """How many items there are to buy again; bad rows are among the failed, and are none."""
    counts = summary.ended.counts
    found: int = sum(getattr(counts, state) for state in set(body.states))
    return found - (summary.invalid_rows if "failed" in body.states else 0)


def _child(parts: Context, before: Submission, body: RetryBody) -> Submission:
    """It reuses nothing, whatever the job before did: who tries again wants other images."""
    return Submission(
        job=new_id("job"),
        tenant=before.tenant,
        submitted_at=datetime.now(UTC),
        name=body.name or before.name,
        defaults=before.defaults,
        retry=Retry(
            job=before.job, states=list(body.states), custom_ids=body.items, schedule=before.schedule
        ),
        key=before.key,
        cap_nano=parse_usd(body.budget.limit_usd),
        on_exhausted=body.budget.on_exhausted,
        on_unknown=body.on_unknown or before.on_unknown,
        prices_nano={
            model: price for model, price in before.prices_nano.items() if model not in parts.catalogue
        },
        priority=body.priority or before.priority,
        pools=before.pools if body.pools is None else body.pools,
        renditions=before.renditions,
        metadata=before.metadata,
        webhook_events=list(body.webhook.events) if body.webhook else [],
    )
