"""POST /v1/jobs/{id}/share: links to a finished job's gallery and contact sheet, for whoever has them."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.context import Context, context, tenant
from api.models import Body
from api.problems import GALLERY_SLOW, JOB_LOST, JOB_RUNS, Problem, problems
from api.status import summary_of
from imagemill.domain.job_states import ENDED
from imagemill.domain.messages import GalleryTask
from imagemill.domain.places import contact_sheet_key, gallery_key
from imagemill.presence import is_there

A_WEEK = 604_800
"""No presigned address works for longer."""
RETRY_SECONDS = 10

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class ShareBody(Body):
    """For how long the links are to work."""

    expires_seconds: Annotated[int, Field(ge=60, le=A_WEEK, strict=True)] = A_WEEK


UNSAID = ShareBody()


class ShareAnswer(BaseModel):
    """Links that show a job's pictures to whoever has them, without a key, until they expire.

    The gallery is one HTML file, the contact sheet one image (webp). Neither shows a prompt.
    """

    object: Literal["share"] = "share"
    gallery_url: str
    contact_sheet_url: str
    expires_at: datetime


@router.post(
    "/{job}/share",
    summary="Share a finished job's pictures",
    responses=problems(JOB_RUNS, JOB_LOST, GALLERY_SLOW),
)
async def share_job(
    job: str,
    parts: Annotated[Context, Depends(context)],
    owner: Annotated[str, Depends(tenant)],
    body: ShareBody = UNSAID,
) -> ShareAnswer:
    """The first request makes the gallery and the contact sheet, which takes some seconds."""
    summary = await summary_of(parts, owner, job)
    if summary.state not in ENDED:
        raise Problem(JOB_RUNS, f"job {job} is {summary.state}; it can be shared once it has ended")
    page, sheet = gallery_key(owner, job), contact_sheet_key(owner, job)
    if not await is_there(parts.control, page):
        await _make(parts, GalleryTask(tenant=owner, job=job, summary=summary, times=parts.times))
    return ShareAnswer(
        gallery_url=parts.control.presign_get(page, body.expires_seconds),
        contact_sheet_url=parts.control.presign_get(sheet, body.expires_seconds),
        expires_at=parts.now() + timedelta(seconds=body.expires_seconds),
    )


async def _make(parts: Context, task: GalleryTask) -> None:
    """Have a worker make both. Raises Problem: it takes longer than a caller can wait."""
    if not await parts.engine.make_gallery(task, parts.work.gallery_seconds):
        raise Problem(
            GALLERY_SLOW,
            f"the gallery of job {task.job} was not made within {parts.work.gallery_seconds:g} seconds; "
            "ask again in a moment",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
