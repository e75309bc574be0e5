"""GET /v1/jobs: a tenant's jobs, the newest first, from two sources.

The engine's list has those that run, and is a moment behind: a job that was submitted a second ago may
not be there yet. The index in the store has those that ended. The engine is asked first, so that a job
that ends in between is in both, and never in neither; the index wins.

Both are in the order of submission, and a page ends at a place in that order: whatever starts or ends
between two pages, nothing comes twice and nothing is left out.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, BeforeValidator

from api.context import Context, context, tenant
from api.models import ItemCounts
from api.problems import MALFORMED, Problem
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.index import IndexEntry
from imagemill.domain.job import JobSummary
from imagemill.domain.job_states import ENDED, JobState
from imagemill.domain.money import format_usd
from imagemill.domain.places import index_place, index_prefix
from imagemill.ports import FoundJob, JobSearch

READ = 2000
"""Ended jobs that one page reads at most; then it ends, short."""

AT_ONCE = 16
BATCH = 200
CLOCKS = timedelta(minutes=5)
"""How far the engine's clock may be behind the API's."""


def _written(said: object) -> object:
    if isinstance(said, str) and not DATE.match(said):
        raise ValueError("is no time of RFC 3339, such as 2026-05-01T12:00:00Z")
    return said


DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
Moment = Annotated[datetime, BeforeValidator(_written)]
"""A time as it is written, and not as a number of seconds."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"\d{15}-[\w-]{1,100}")
_METADATA = "metadata."

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class JobLine(BaseModel):
    """A job in a list."""

    id: str
    object: Literal["job"] = "job"
    name: str | None
    state: JobState
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    metadata: dict[str, str]
    total: int | None
    items: ItemCounts | None
    """Of a job that has ended; while it runs, its status has them."""
    settled_usd: str | None
    written_off_usd: str | None


class JobList(BaseModel):
    """A page of jobs; ``after`` of the next one is this one's ``last``.

    With filters a page may be short, or empty, while there are more: go on as long as ``has_more``.
    """

    object: Literal["list"] = "list"
    data: list[JobLine]
    has_more: bool
    last: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are listed; ``since`` in milliseconds."""

    state: JobState | None = None
    name: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    since: int = 0

    @property
    def running(self) -> bool:
        """Can a running job be one of them?"""
        return self.state not in ENDED

    @property
    def ended(self) -> bool:
        """Can one that has ended?"""
        return self.state is None or self.state in ENDED

    def fits(self, entry: IndexEntry) -> bool:
        """Is it one of them?"""
        return (
            self.state in (None, entry.state)
            and (entry.name or "").startswith(self.name or "")
            and all(entry.metadata.get(key) == value for key, value in self.metadata)
        )


@dataclass(slots=True)
class Live:
    """What the engine's list has, by place. It is whole up to the horizon; None: all of it is there."""

    jobs: dict[str, FoundJob] = field(default_factory=dict)
    lost: dict[str, FoundJob] = field(default_factory=dict)
    horizon: str | None = None

    @property
    def places(self) -> list[str]:
        """All of them up to the horizon, in order."""
        known = sorted(self.jobs.keys() | self.lost.keys())
        return known if self.horizon is None else [place for place in known if place <= self.horizon]


@router.get("", summary="Jobs, the newest first")
async def list_jobs(
    *,
    request: Request,
    parts: Annotated[Context, Depends(context)],
    owner: Annotated[str, Depends(tenant)],
    after: Annotated[str | None, Query(description="The ``last`` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    state: JobState | None = None,
    name: Annotated[
        str | None,
        Query(description="How the name begins.", max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
    ] = None,
    submitted_after: Annotated[Moment | None, Query(description="At this time or later.")] = None,
    submitted_before: Annotated[Moment | None, Query(description="Before this time.")] = None,
) -> JobList:
    """Also by metadata: ``metadata.shop=berlin``; several must all fit.

    A job that was submitted a moment ago may be missing for a second or two.
    """
    since = _milliseconds(submitted_after) if submitted_after else 0
    wanted = Wanted(state, name or None, _metadata(request), since)
    return await page(parts, owner, wanted, first_place(after, submitted_before), limit)


async def page(parts: Context, tenant: str, wanted: Wanted, after: str, limit: int) -> JobList:
    """The jobs that come after a place, as many as are asked for."""
    live = await live_jobs(parts, tenant, wanted, after, limit)
    data: list[tuple[str, JobLine]] = []
    read = 0
    async for places in batches(parts, tenant, wanted, after, live, size=min(limit + 1, BATCH)):
        entries = await _entries(parts, tenant, places, live)
        for place, entry in zip(places, entries, strict=True):
            if _made(place) < wanted.since:
                return _page(data, limit)
            if entry is not None and wanted.fits(entry):
                data.append((place, _line(place, entry)))
        read += len(places)
        if len(data) > limit:
            return _page(data, limit)
        if read >= READ:
            return _page(data, limit, goes_on_after=places[-1])
    return _page(data, limit, goes_on_after=live.horizon)


async def batches(
    parts: Context, tenant: str, wanted: Wanted, after: str, live: Live, *, size: int
) -> AsyncIterator[list[str]]:
    """The places of both sources in order, each once, some at a time, up to the engine's horizon."""
    batch: list[str] = []
    async for place in _merged(parts, tenant, wanted, after, live):
        batch.append(place)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def _merged(parts: Context, tenant: str, wanted: Wanted, after: str, live: Live) -> AsyncIterator[str]:
    rest = deque(live.places)
    prefix = index_prefix(tenant)
    if wanted.ended:
        async for key in parts.control.keys(prefix, f"{prefix}{after}.json" if after else ""):
            place = key.removeprefix(prefix).removesuffix(".json")
            while rest and rest[0] < place:
                yield rest.popleft()
            if live.horizon and place > live.horizon:
                break
            if rest and rest[0] == place:
                rest.popleft()
            live.jobs.pop(place, None)  # it has ended since the engine was asked
            live.lost.pop(place, None)
            yield place
    for place in rest:
        yield place


# --- the engine's list ---------------------------------------------------------------------------


async def live_jobs(parts: Context, tenant: str, wanted: Wanted, after: str, limit: int) -> Live:
    """The jobs after a place that only the engine has: those that run, and those ended from outside."""
    live = Live()
    if wanted.running:
        search = JobSearch(tenant, wanted.state, wanted.name, wanted.metadata)
        live.jobs, live.horizon = await _found(parts, search, after, limit)
    if wanted.state in (None, "failed"):
        search = JobSearch(tenant, None, wanted.name, wanted.metadata, cut_off=True)
        lost, _ = await _found(parts, search, after, limit)
        live.lost = {place: job for place, job in lost.items() if place not in live.jobs}
    return live


async def _found(
    parts: Context, search: JobSearch, after: str, limit: int
) -> tuple[dict[str, FoundJob], str | None]:
    """What the engine has, by place, enough for a page; and the horizon, if there is more.

    It lists the last started first, and nothing is started before it was submitted: so all is known that
    was submitted after the last start that was seen.
    """
    found: dict[str, FoundJob] = {}
    more = b""
    while True:
        answer = await parts.engine.find_jobs(search, more)
        for job in answer.jobs:
            place = index_place(job.job, _milliseconds(job.summary.submitted_at))
            if place > after:
                found[place] = job
        more = answer.more
        if not more or not answer.jobs:
            return found, None
        horizon = index_place("", _milliseconds(answer.jobs[-1].started_at + CLOCKS))
        whole = sorted(place for place in found if place < horizon)
        if len(whole) > limit:
            return found, whole[-1]


# --- what is said of a job -----------------------------------------------------------------------


async def _entries(parts: Context, tenant: str, places: list[str], live: Live) -> list[IndexEntry | None]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(place: str) -> IndexEntry | None:
        async with gate:
            return await _entry(parts, tenant, place, live)

    return await asyncio.gather(*(read(place) for place in places))


async def _entry(parts: Context, tenant: str, place: str, live: Live) -> IndexEntry | None:
    if place in live.jobs:
        return _unfinished(live.jobs[place].job, live.jobs[place].summary)
    if place in live.lost:
        job = live.lost[place].job
        # An operator may have reset it: its last run counts.
        summary = await parts.engine.job_summary(job)
        return None if summary is None else IndexEntry.of(job, summary)
    try:
        return IndexEntry.model_validate_json(await parts.control.get(f"{index_prefix(tenant)}{place}.json"))
    except ObjectMissing:
        return None


def _unfinished(job: str, summary: JobSummary) -> IndexEntry:
    """What ended chunks have brought is less than what its status says, and would seem to go backwards."""
    return IndexEntry.of(job, summary).model_copy(update={"counts": None})


def _line(place: str, entry: IndexEntry) -> JobLine:
    ended = entry.state in ENDED
    counts = entry.counts if ended else None
    return JobLine(
        id=entry.job,
        name=entry.name,
        state=entry.state,
        created_at=entry.submitted_at or EPOCH + timedelta(milliseconds=_made(place)),
        started_at=entry.started_at,
        ended_at=entry.ended_at,
        metadata=entry.metadata,
        total=entry.items,
        items=counts and ItemCounts(
            total=entry.items, pending=0, running=0, **counts.model_dump(exclude={"images"})
        ),
        settled_usd=format_usd(entry.settled_nano) if ended else None,
        written_off_usd=format_usd(entry.written_off_nano) if ended else None,
    )  # fmt: skip


def _page(data: list[tuple[str, JobLine]], limit: int, goes_on_after: str | None = None) -> JobList:
    """At most so many; it goes on after the last of them, or after what was looked through in vain."""
    shown = [line for _, line in data[:limit]]
    if len(data) > limit:
        return JobList(data=shown, has_more=True, last=data[limit - 1][0])
    last = goes_on_after or (data[-1][0] if data else None)
    return JobList(data=shown, has_more=goes_on_after is not None, last=last)


# --- what was asked ------------------------------------------------------------------------------


def first_place(after: str | None, before: datetime | None) -> str:
    """The place after which the page begins."""
    if after is not None and not _PLACE.fullmatch(after):
        raise Problem(MALFORMED, f"after: {after!r} is not the 'last' of a page of jobs")
    end = index_place("~", _milliseconds(before)) if before else ""
    return max(after or "", end)


def _metadata(request: Request) -> tuple[tuple[str, str], ...]:
    pairs = request.query_params.multi_items()
    return tuple((key.removeprefix(_METADATA), value) for key, value in pairs if key.startswith(_METADATA))


def _milliseconds(time: datetime) -> int:
    """As in the key of the index; a time without a zone is UTC."""
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def _made(place: str) -> int:
    """The milliseconds of a place."""
    return 10**14 - int(place.partition("-")[0])
