"""What a person does to a job: each by the API's own function, and then back to the job's page."""

import secrets
from collections.abc import Awaitable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from api.context import parts_of
from api.jobs import cancel_job, change_job, pause_job, resume_job
from api.models import JobAnswer, JobPatch
from api.problems import Problem
from api.retry import RetryBody, retry_job
from api.sharing import share_job
from api.status import status_of, summary_of
from dashboard.drafts import usd
from dashboard.pages import page, then
from dashboard.standing import Standing
from dashboard.viewer import Change, Changing, Looking, Parts
from dashboard.words import money

DOCUMENTED = "Value error, "

router = APIRouter()


@router.post("/jobs/{job}/pause")
async def pause(request: Request, job: str, change: Changing, parts: Parts) -> Response:
    """Start nothing more until it is resumed."""
    asked = pause_job(job, parts, change.viewer.tenant)
    return await _done(request, job, asked, "The job pauses as soon as the calls under way have come back.")


@router.post("/jobs/{job}/resume")
async def resume(request: Request, job: str, change: Changing, parts: Parts) -> Response:
    """Go on."""
    return await _done(request, job, resume_job(job, parts, change.viewer.tenant), "The job goes on.")


@router.get("/jobs/{job}/cancel")
async def confirm_cancel(request: Request, job: str, viewer: Looking, parts: Parts) -> Response:
    """Ask, where no script has."""
    status = await status_of(parts, viewer.tenant, job)
    return await page(request, "cancel.html", job=status, standing=Standing(status))


@router.post("/jobs/{job}/cancel")
async def cancel(request: Request, job: str, change: Changing, parts: Parts) -> Response:
    """Start nothing more, for good."""
    asked = cancel_job(job, parts, change.viewer.tenant)
    return await _done(request, job, asked, "The job is being cancelled; what was bought is kept.")


@router.post("/jobs/{job}/cap")
async def change_cap(request: Request, job: str, change: Changing) -> Response:
    """Another cap; raised, it ends a hold by the budget."""
    cap = usd(change.text("limit_usd"))
    patch = {"budget": {"limit_usd": cap}}
    return await _change(request, job, change, patch, f"The cap is now {_in_words(cap)}.")


@router.post("/jobs/{job}/priority")
async def change_priority(request: Request, job: str, change: Changing) -> Response:
    """Another place among the jobs that wait for the provider."""
    number = change.text("priority")
    return await _change(request, job, change, {"priority": number}, f"The priority is now {number}.")


@router.get("/jobs/{job}/retry")
async def retry_form(request: Request, job: str, viewer: Looking, parts: Parts) -> Response:
    """What is to be tried again, and what it may cost."""
    viewer.require("submit")
    status = await status_of(parts, viewer.tenant, job)
    chosen = [state for state, _ in Standing(status).retried if state in ("failed", "skipped")]
    said = {"limit_usd": "", "states": chosen, "once": secrets.token_urlsafe(16)}
    return await page(
        request, "retry.html", job=status, standing=Standing(status), said=said, errors={}, problem=None
    )


@router.post("/jobs/{job}/retry")
async def retry(request: Request, job: str, change: Changing, parts: Parts) -> Response:
    """A new job of the items that this one did not get."""
    tenant = change.viewer.tenant
    said = {
        "limit_usd": usd(change.text("limit_usd")),
        "states": [str(state) for state in change.form.getlist("states")],
        "once": change.text("once")[:100] or secrets.token_urlsafe(16),
    }
    try:
        body = RetryBody.model_validate(
            {"states": said["states"], "budget": {"limit_usd": said["limit_usd"]}}
        )
        made = await retry_job(
            job=job,
            body=body,
            response=Response(),
            parts=parts,
            owner=tenant,
            idempotency_key=str(said["once"]),
        )
    except (ValidationError, Problem) as error:
        status = await status_of(parts, tenant, job)
        errors = _errors(error) if isinstance(error, ValidationError) else {}
        problem = error.detail if isinstance(error, Problem) else None
        said["once"] = secrets.token_urlsafe(16)
        more: dict[str, Any] = {"job": status, "standing": Standing(status), "said": said}
        return await page(request, "retry.html", status=422, errors=errors, problem=problem, **more)
    return await then(request, f"/jobs/{made.id}", "This job tries the items again.")


@router.post("/jobs/{job}/share")
async def share(request: Request, job: str, change: Changing, parts: Parts) -> Response:
    """Links to the pictures for whoever has them; they are on this page alone, and nowhere kept."""
    summary = await summary_of(parts, change.viewer.tenant, job)
    try:
        shared = await share_job(job, parts, change.viewer.tenant)
    except Problem as problem:
        return await then(request, f"/jobs/{job}", f"There is no link yet: {problem.detail}.", bad=True)
    return await page(request, "share.html", job=job, name=summary.name, share=shared)


async def _change(
    request: Request, job: str, change: Change, patch: Mapping[str, object], done: str
) -> Response:
    try:
        body = JobPatch.model_validate(patch)
    except ValidationError as error:
        first = next(iter(_errors(error).values()))
        return await then(request, f"/jobs/{job}", f"Nothing was changed: {first}.", bad=True)
    return await _done(request, job, change_job(job, body, parts_of(request), change.viewer.tenant), done)


async def _done(request: Request, job: str, asked: Awaitable[JobAnswer], said: str) -> Response:
    """Back to the job, with what happened."""
    try:
        await asked
    except Problem as problem:
        if problem.kind.status == 404:
            raise
        return await then(request, f"/jobs/{job}", f"Nothing was changed: {problem.detail}.", bad=True)
    return await then(request, f"/jobs/{job}", said)


def _errors(error: ValidationError) -> dict[str, str]:
    """What is wrong, by the name of the field."""
    found = {}
    for fault in error.errors():
        place = next((str(part) for part in reversed(fault["loc"]) if isinstance(part, str)), "")
        found[place] = fault["msg"].removeprefix(DOCUMENTED)
    return found


def _in_words(cap: str) -> str:
    try:
        return money(cap)
    except ArithmeticError:
        return cap
