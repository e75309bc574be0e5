"""The list of jobs."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboard.pages import page
from dashboard.viewer import Looking

router = APIRouter()


@router.get("/jobs")
async def jobs_page(request: Request, viewer: Looking) -> Response:
    """A tenant's jobs."""
    return await page(request, "jobs.html")
