"""/v1/jobs: submit, watch, take the results, cancel."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import JSONResponse, StreamingResponse

from api.context import Context, context, tenant
from api.estimates import validate
from api.items import ended_items, item_answer, items_from
from api.models import (
    ItemAnswer,
    ItemPage,
    JobAnswer,
    JobBody,
    JobPatch,
    ReportAnswer,
)
from api.problems import INVALID, JOB_ENDED, Problem
from api.report import report_of, with_items
from api.status import status_of, summary_of
from api.submission import submit
from api.validations import ValidationAnswer
from imagemill.domain.item import ItemState
from imagemill.domain.job import ENDED
from imagemill.domain.messages import BudgetSignal
from imagemill.domain.money import format_usd, parse_usd
from imagemill.domain.places import CHUNK_ITEMS

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
Parts = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]


@router.post(
    "",
    status_code=202,
    summary="Submit a job",
    response_model=JobAnswer,
    responses={200: {"model": JobAnswer | ValidationAnswer}},
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
    response.headers["Location"] = f"/v1/jobs/{accepted.job}"
    response.headers["Retry-After"] = "1"
    if accepted.replayed:
        response.status_code = 200
        response.headers["Idempotency-Replayed"] = "true"
    return await status_of(parts, owner, accepted.job)


@router.get("/{job}", summary="The status of a job")
async def get_job(job: str, response: Response, parts: Parts, owner: Tenant) -> JobAnswer:
    """Counts by state, money, rate, what is held and why. ``Retry-After`` says when to ask again."""
    status = await status_of(parts, owner, job)
    if status.state not in ENDED:
        response.headers["Retry-After"] = str(_patience(status))
    return status


@router.get("/{job}/items", summary="A page of items")
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
    data: list[ItemAnswer] = []
    last = None
    async for position, result in items_from(parts, owner, job, summary, _position(after) + 1):
        if state is not None and result.state != state:
            continue
        if len(data) == limit:
            return ItemPage(data=data, has_more=True, last=last)
        data.append(item_answer(parts, result))
        last = f"{position // CHUNK_ITEMS}.{position % CHUNK_ITEMS}"
    return ItemPage(data=data, has_more=False, last=last)


@router.get("/{job}/results", summary="All finished items as a stream", response_class=StreamingResponse)
async def get_results(
    job: str, parts: Parts, owner: Tenant, accept: Annotated[str, Header()] = "application/jsonl"
) -> StreamingResponse:
    """The items that have ended, as JSON lines or (``Accept: text/csv``) as CSV; also while the job runs."""
    items = ended_items(parts, owner, job, await summary_of(parts, owner, job))
    if "text/csv" in accept:
        return StreamingResponse(_as_csv(items), media_type="text/csv")
    return StreamingResponse(_as_jsonl(items), media_type="application/jsonl")


@router.get("/{job}/report", summary="The receipt of a job that has ended", response_model=ReportAnswer)
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
    return StreamingResponse(with_items(parts, owner, job, summary, report), media_type="application/json")


@router.patch("/{job}", status_code=202, summary="Raise or lower a job's cap")
async def change_job(job: str, body: JobPatch, parts: Parts, owner: Tenant) -> JobAnswer:
    """A raised cap lets a held job go on; a lowered one stops what has not been called yet."""
    summary = await summary_of(parts, owner, job)
    limit = body.budget.limit_usd
    cap = None if limit is None else parse_usd(limit)
    change = BudgetSignal(cap_nano=cap, on_exhausted=body.budget.on_exhausted)
    if summary.state in ENDED or not await parts.engine.set_budget(job, change):
        raise Problem(JOB_ENDED, f"job {job} has ended as {summary.state}; its cap can't be changed")
    status = await status_of(parts, owner, job)
    if cap is not None and status.state not in ENDED:
        status.cost.limit_usd = format_usd(cap)  # accepted, whether or not the workflow has taken it in yet
    return status


@router.post("/{job}/resume", status_code=202, summary="Let a held job go on")
async def resume_job(job: str, parts: Parts, owner: Tenant) -> JobAnswer:
    """Buy again what is of unknown outcome; try the provider now. A cap that is used up has to be raised."""
    summary = await summary_of(parts, owner, job)
    if summary.state in ENDED or not await parts.engine.resume_job(job):
        raise Problem(JOB_ENDED, f"job {job} has ended as {summary.state}; there is nothing to resume")
    return await status_of(parts, owner, job)


@router.post("/{job}/cancel", status_code=202, summary="Cancel a job")
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


def _patience(status: JobAnswer) -> int:
    """Seconds until a poll is worth it: a twentieth of what is left, between 1 and 30."""
    return int(min(30, max(1, (status.seconds_left or 0) / 20)))


def _position(after: str | None) -> int:
    if after is None:
        return -1
    chunk, _, index = after.partition(".")
    if not (chunk.isdecimal() and index.isdecimal()):
        raise Problem(INVALID, f"after: {after!r} is not the 'last' of a page of items")
    return int(chunk) * CHUNK_ITEMS + int(index)


async def _as_jsonl(items: AsyncIterator[ItemAnswer]) -> AsyncIterator[str]:
    async for item in items:
        yield item.model_dump_json() + "\n"


Column = Literal["custom_id", "variant", "state", "cost_usd", "images", "urls", "error"]
COLUMNS: tuple[Column, ...] = ("custom_id", "variant", "state", "cost_usd", "images", "urls", "error")


async def _as_csv(items: AsyncIterator[ItemAnswer]) -> AsyncIterator[str]:
    yield _line(COLUMNS)
    async for item in items:
        yield _line(
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


def _line(cells: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([_inert(cell) for cell in cells])
    return text.getvalue()


def _inert(cell: str) -> str:
    """A cell that a spreadsheet takes as text, and never as a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
