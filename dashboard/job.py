"""A job: how far it is, what it costs, what holds it, and its pictures as they arrive."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from api.events import EventStream, event_id
from api.jobs import get_report, get_results
from api.models import ReportAnswer
from api.polling import now
from api.snapshots import Snapshot
from api.status import answer_of
from dashboard.gallery import Gallery, gallery_of
from dashboard.jobs import said_pair
from dashboard.pages import fragment, page
from dashboard.samples import Samples
from dashboard.session import COOKIE
from dashboard.standing import Standing
from dashboard.timeline import timeline
from dashboard.viewer import Looking, Parts, Viewer, seals_of
from dashboard.words import now as time_now
from imagemill.domain.item import ItemState

STATES: tuple[ItemState, ...] = (
    "succeeded", "running", "pending", "blocked", "failed", "skipped", "cancelled",
)  # fmt: skip

router = APIRouter()


@router.get("/jobs/{job}")
async def job_page(
    *, request: Request, job: str, viewer: Looking, parts: Parts, state: str = "", after: str | None = None
) -> Response:
    """All of a job on one page, whatever its size: the pictures come by pages."""
    snapshot = await now(parts, viewer.tenant, job)
    said = await _live(request, viewer, snapshot, state, after)
    return await page(request, "job.html", seen=event_id(snapshot), **said)


@router.get("/jobs/{job}/live")
async def live(
    *, request: Request, job: str, viewer: Looking, parts: Parts, state: str = "", after: str | None = None,
    still: bool = False,
) -> Response:  # fmt: skip
    """What changes of the page; ``still``: without the pictures, none of which changes any more."""
    snapshot = await now(parts, viewer.tenant, job)
    said = await _live(request, viewer, snapshot, state, after, pictures=not still)
    return fragment("job_live.html", viewer=viewer, **said)


@router.get("/jobs/{job}/events")
async def events(
    *, request: Request, job: str, viewer: Looking, parts: Parts,
    last_event_id: Annotated[str | None, Header()] = None, seen: str | None = None,
) -> Response:  # fmt: skip
    """The job's changes, for as long as the session lasts."""
    first = await now(parts, viewer.tenant, job)
    known = last_event_id or seen
    if first.ended and known == event_id(first):
        return Response(status_code=204)
    seals, cookie = await seals_of(request), request.cookies.get(COOKIE)

    def still_may() -> bool:
        session = seals.read(parts, cookie)
        return session is not None and Viewer(session).may("read")

    return EventStream(parts, viewer.tenant, first, known, still_may)


@router.get("/jobs/{job}/report")
async def report_page(request: Request, job: str, viewer: Looking, parts: Parts) -> Response:
    """The receipt of a job that has ended."""
    report = await get_report(job, parts, viewer.tenant, items=False)
    assert isinstance(report, ReportAnswer)  # noqa: S101 - without its items it is no stream
    return await page(request, "report.html", job=job, report=report)


@router.get("/jobs/{job}/results.{form}")
async def results(job: str, form: str, viewer: Looking, parts: Parts) -> Response:
    """The items that have ended, as a file to keep; addresses of images in it work for an hour."""
    kind = "text/csv" if form == "csv" else "application/jsonl"
    response = await get_results(job, parts, viewer.tenant, kind)
    response.headers["Content-Disposition"] = (
        f'attachment; filename="{job}.{"csv" if form == "csv" else "jsonl"}"'
    )
    return response


async def _live(
    request: Request,
    viewer: Viewer,
    snapshot: Snapshot,
    state: str,
    after: str | None,
    *,
    pictures: bool = True,
) -> dict[str, Any]:
    """The variables of what changes while a job runs."""
    parts = request.app.state.context
    job = await answer_of(parts, viewer.tenant, snapshot)
    samples: Samples = request.app.state.samples
    wanted = next((each for each in STATES if each == state), None)
    return {
        "standing": Standing(job),
        "job": job,
        "timeline": timeline(job, samples.take(viewer.tenant, job, time_now())),
        "state": wanted or "",
        "states": [(each, getattr(job.items, each)) for each in STATES if getattr(job.items, each)],
        "gallery": await _gallery(request, viewer, snapshot, wanted, after) if pictures else None,
        "after": after,
        "said_pair": said_pair,
        "next": lambda gallery: (
            f"/jobs/{job.id}?{urlencode(_asked(wanted) | {'after': gallery.last})}#pictures"
        ),
    }


async def _gallery(
    request: Request, viewer: Viewer, snapshot: Snapshot, state: ItemState | None, after: str | None
) -> Gallery:
    parts, seals = request.app.state.context, await seals_of(request)
    summary = snapshot.summary
    return await gallery_of(parts, seals, viewer.tenant, snapshot.job, summary, after=after, state=state)


def _asked(state: ItemState | None) -> dict[str, str]:
    return {"state": state} if state else {}
