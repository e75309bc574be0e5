"""/v1/jobs: submit, watch, take the results, cancel."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import JSONResponse, StreamingResponse

from api.cells import line
from api.context import Context, context, tenant
from api.estimates import validate
from api.items import Items
from api.models import (
    ItemAnswer,
    ItemPage,
    JobAnswer,
    JobBody,
    JobPatch,
    ReportAnswer,
)
from api.openapi_headers import headers
from api.pages import page_of
from api.problems import (
    ESTIMATE_SLOW,
    INVALID,
    JOB_ENDED,
    JOB_LOST,
    JOB_RUNS,
    KEY_REUSED,
    NO_CAP,
    NO_REPORT,
    Problem,
    problems,
)
from api.report import report_of, with_items
from api.status import status_of, summary_of
from api.submission import answer_accepted, status_accepted, submit
from api.validations import ValidationAnswer
from api.webhook_target import change_webhook
from imagemill.domain.item import ItemState
from imagemill.domain.job_states import ENDED
from imagemill.domain.messages import BudgetSignal
from imagemill.domain.money import format_usd, parse_usd

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
Parts = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]


@router.post(
    "",
    status_code=202,
    summary="Submit a job",
    response_model=JobAnswer,
    responses={
        200: {"model": JobAnswer | ValidationAnswer}
        | headers("Location", "Idempotency-Replayed", "Retry-After"),
        202: headers("Location", "Retry-After"),
        **problems(INVALID, KEY_REUSED, NO_CAP, JOB_LOST, ESTIMATE_SLOW),
    },
)
async def create_job(
    *,
    body: JobBody,
    response: Response,
    parts: Parts,
    owner: Tenant,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    x_stainless_retry_count: Annotated[
        int, Header(ge=0, description="Which try of the SDK this is; 0 is the first.")
    ] = 0,
    validate_only: Annotated[
        bool, Query(description="Answer with the estimate and the bad rows, and start nothing.")
    ] = False,
) -> JobAnswer | Response:
    """Check the submission and start it. The answer comes once it is durably started.

    With an ``Idempotency-Key``, the same submission again answers 200 with the same job. Without one, an
    SDK that says it tries again is given the job that its try before made.
    """
    if validate_only:
        return JSONResponse((await validate(parts, owner, body)).model_dump(mode="json"))
    accepted = await submit(parts, owner, body, idempotency_key, x_stainless_retry_count)
    answer_accepted(response, accepted)
    return await status_accepted(parts, owner, accepted)


@router.get("/{job}/items", summary="A page of items", responses=problems(INVALID, JOB_LOST))
async def list_items(
    *,
    job: str,
    parts: Parts,
    owner: Tenant,
    after: Annotated[str | None, Query(description="The ``last`` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    state: Annotated[ItemState | None, Query(description="Only items in this state.")] = None,
) -> ItemPage:
    """Items in the order of the manifest, also while the job runs."""
    summary = await summary_of(parts, owner, job)
    return await page_of(parts, owner, job, summary, after=after, limit=limit, state=state)


@router.get(
    "/{job}/results",
    summary="All finished items as a stream",
    response_class=StreamingResponse,
    responses={
        200: {"content": {form: {"schema": {"type": "string"}} for form in ("application/jsonl", "text/csv")}}
        | headers("Imagemill-Stale"),
        **problems(JOB_LOST),
    },
)
async def get_results(
    job: str, parts: Parts, owner: Tenant, accept: Annotated[str, Header()] = "application/jsonl"
) -> StreamingResponse:
    """The items that have ended, as JSON lines or (``Accept: text/csv``) as CSV; also while the job runs.

    ``Imagemill-Stale: true`` says that no worker answers: items of running chunks are left out.
    """
    items = Items(parts, owner, job, await summary_of(parts, owner, job))
    await items.ask_around()
    stale = {"Imagemill-Stale": "true"} if items.stale else None
    if "text/csv" in accept:
        return StreamingResponse(_as_csv(items.ended()), media_type="text/csv", headers=stale)
    return StreamingResponse(_as_jsonl(items.ended()), media_type="application/jsonl", headers=stale)


@router.get(
    "/{job}/report",
    summary="The receipt of a job that has ended",
    response_model=ReportAnswer,
    responses=problems(JOB_RUNS, JOB_LOST, NO_REPORT),
)
async def get_report(
    job: str,
    parts: Parts,
    owner: Tenant,
    items: Annotated[
        bool, Query(description="With each item and its attempts, as ``data``; streamed.")
    ] = False,
) -> ReportAnswer | Response:
    """Counts, money by model and state, drift, and the version of the prices."""
    summary = await summary_of(parts, owner, job)
    report = await report_of(parts, owner, job, summary)
    if not items:
        return report
    found = Items(parts, owner, job, summary)
    return StreamingResponse(with_items(found, report), media_type="application/json")


@router.patch(
    "/{job}",
    status_code=202,
    summary="Change a job's cap, priority or webhook",
    responses=problems(INVALID, JOB_ENDED, JOB_LOST),
)
async def change_job(job: str, body: JobPatch, parts: Parts, owner: Tenant) -> JobAnswer:
    """A raised cap lets a held job go on; a lowered one stops what has not been called yet.

    A new priority goes for all calls that have not been made yet. Another webhook gets the events that
    come, and those that have not been delivered yet; it alone can be changed when the job has ended.
    """
    summary = await summary_of(parts, owner, job)
    if "webhook" in body.model_fields_set:
        await change_webhook(parts, owner, job, body.webhook)
    if body.budget is None and body.priority is None:
        return await status_of(parts, owner, job)
    if summary.state in ENDED or not await _tell_changes(parts, job, body):
        raise Problem(JOB_ENDED, f"job {job} has ended as {summary.state}; it can't be changed")
    status = await status_of(parts, owner, job)
    if body.budget and body.budget.limit_usd is not None and status.state not in ENDED:
        # Accepted, whether or not the workflow has taken it in yet.
        status.cost.limit_usd = format_usd(parse_usd(body.budget.limit_usd))
    return status


async def _tell_changes(parts: Context, job: str, body: JobPatch) -> bool:
    running = True
    if body.budget:
        limit = body.budget.limit_usd
        cap = None if limit is None else parse_usd(limit)
        change = BudgetSignal(cap_nano=cap, on_exhausted=body.budget.on_exhausted)
        running = await parts.engine.set_budget(job, change)
    if running and body.priority is not None:
        running = await parts.engine.set_priority(job, body.priority)
    return running


@router.post("/{job}/pause", status_code=202, summary="Pause a job", responses=problems(JOB_ENDED, JOB_LOST))
async def pause_job(job: str, parts: Parts, owner: Tenant) -> JobAnswer:
    """Start nothing more until it is resumed. It reads ``paused`` once no call is under way any more."""
    summary = await summary_of(parts, owner, job)
    if summary.state in ENDED or not await parts.engine.pause_job(job):
        raise Problem(JOB_ENDED, f"job {job} has ended as {summary.state}; there is nothing to pause")
    status = await status_of(parts, owner, job)
    if status.state not in (*ENDED, "paused", "cancelling"):
        status.state = "pausing"  # accepted, whether or not the workflow has taken it in yet
    return status


@router.post(
    "/{job}/resume",
    status_code=202,
    summary="Let a paused or held job go on",
    responses=problems(JOB_ENDED, JOB_LOST),
)
async def resume_job(job: str, parts: Parts, owner: Tenant) -> JobAnswer:
    """Buy again what is of unknown outcome; try the provider now. A cap that is used up has to be raised."""
    summary = await summary_of(parts, owner, job)
    if summary.state in ENDED or not await parts.engine.resume_job(job):
        raise Problem(JOB_ENDED, f"job {job} has ended as {summary.state}; there is nothing to resume")
    return await status_of(parts, owner, job)


@router.post(
    "/{job}/cancel", status_code=202, summary="Cancel a job", responses=problems(JOB_ENDED, JOB_LOST)
)
async def cancel_job(job: str, parts: Parts, owner: Tenant) -> JobAnswer:
    """Start nothing more. Calls under way are finished, and their images kept."""
    summary = await summary_of(parts, owner, job)
    if summary.state == "cancelled":
        return await status_of(parts, owner, job)
    if summary.state in ENDED or not await parts.engine.cancel_job(job):
        raise Problem(JOB_ENDED, f"job {job} has ended as {summary.state}; there is nothing to cancel")
    status = await status_of(parts, owner, job)
    if status.state not in ENDED:
        status.state = "cancelling"  # accepted, whether or not the workflow has taken it in yet
    return status


async def _as_jsonl(items: AsyncIterator[ItemAnswer]) -> AsyncIterator[str]:
    async for item in items:
        yield item.model_dump_json() + "\n"


Column = Literal["custom_id", "variant", "state", "cost_usd", "images", "urls", "error"]
COLUMNS: tuple[Column, ...] = ("custom_id", "variant", "state", "cost_usd", "images", "urls", "error")


async def _as_csv(items: AsyncIterator[ItemAnswer]) -> AsyncIterator[str]:
    yield line(COLUMNS)
    async for item in items:
        yield line(
            (
                item.custom_id,
                item.variant or "",
                item.state,
                item.cost_usd,
                json.dumps([image.key for image in item.images]),
                json.dumps([image.url for image in item.images]),
                item.error.detail if item.error else "",
            )
        )
