"""The list of jobs: which there are, how far they are, and what they cost."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.context import Context
from api.listing import JobLine, Wanted, first_place
from api.listing import page as page_of_jobs
from api.models import ItemCounts, JobAnswer
from api.polling import now
from api.problems import Problem
from api.status import answer_of
from dashboard.pages import fragment, page
from dashboard.standing import Piece, done, item_pieces, spent
from dashboard.viewer import Looking, Parts
from imagemill.domain.errors import ImagemillError
from imagemill.domain.job_states import ENDED, JobState

ROWS = 25
"""On a page; of those that run each is asked for."""

MOST_METADATA = 1200
"""Characters; twice as long as a pair can be, with all of it escaped."""

FILTERS = (
    "queued", "running", "held", "paused", "completed", "completed_with_errors", "cancelled", "failed",
)  # fmt: skip

_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s,]+)', re.DOTALL)
_PLAIN = re.compile(r'[^\s,"]+')
_SPECIAL = re.compile(r'["\\]')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_HOW = 'write each as key=value, with spaces between; one that has spaces itself as "key=some value"'

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Row:
    """A job in the list: its line, and its status where it runs."""

    line: JobLine
    status: JobAnswer | None = None

    @property
    def state(self) -> str:
        """As its status says, which is fresher than the list."""
        return self.status.state if self.status else self.line.state

    @property
    def ended(self) -> bool:
        """Will nothing change any more?"""
        return self.state in ENDED

    @property
    def has_cover(self) -> bool:
        """Is there a picture to know it by? Results are kept once a chunk has ended."""
        return self.ended and bool(self.items and self.items.succeeded)

    @property
    def items(self) -> ItemCounts | None:
        """Its counts, if they are known."""
        return self.status.items if self.status else self.line.items

    @property
    def done(self) -> int | None:
        """Items that have reached their end."""
        return done(self.items) if self.items else None

    @property
    def pieces(self) -> list[Piece]:
        """The bar of its items."""
        return item_pieces(self.items) if self.items else []

    @property
    def spent(self) -> Decimal | None:
        """What counts as spent."""
        if self.status:
            return spent(self.status.cost)
        if self.line.settled_usd is None:
            return None
        return Decimal(self.line.settled_usd) + Decimal(self.line.written_off_usd or 0)

    @property
    def cap(self) -> str | None:
        """Its cap; the list of ended jobs does not have it."""
        return self.status.cost.limit_usd if self.status else None


@router.get("/jobs")
async def jobs_page(
    *,
    request: Request,
    viewer: Looking,
    parts: Parts,
    state: str = "",
    name: Annotated[str, Query(max_length=200)] = "",
    metadata: Annotated[str, Query(max_length=MOST_METADATA)] = "",
    after: str | None = None,
) -> Response:
    """A tenant's jobs, the newest first."""
    wanted, problem = _wanted(state, name, metadata)
    found = await page_of_jobs(parts, viewer.tenant, wanted, first_place(after, None), ROWS)
    asked = {key: said for key, said in (("state", state), ("name", name), ("metadata", metadata)) if said}
    return await page(
        request,
        "jobs.html",
        rows=await _rows(parts, viewer.tenant, found.data),
        asked=asked,
        said={"state": state, "name": name, "metadata": metadata},
        problem=problem,
        states=FILTERS,
        next=f"/jobs?{urlencode(asked | {'after': found.last})}" if found.has_more else None,
        first=f"/jobs?{urlencode(asked)}" if after else None,
    )


@router.get("/jobs-live")
async def live_rows(
    viewer: Looking, parts: Parts, job: Annotated[list[str], Query(max_length=ROWS)]
) -> Response:
    """The lines of some jobs as they are now, for the script that keeps them fresh."""
    found = await asyncio.gather(*(_status(parts, viewer.tenant, each) for each in job))
    rows = [Row(_line(status), status) for status in found if status]
    return fragment("job_rows.html", rows=rows)


async def _rows(parts: Context, tenant: str, lines: list[JobLine]) -> list[Row]:
    async def row(line: JobLine) -> Row:
        return Row(line, None if line.state in ENDED else await _status(parts, tenant, line.id))

    return list(await asyncio.gather(*(row(line) for line in lines)))


async def _status(parts: Context, tenant: str, job: str) -> JobAnswer | None:
    """None: it can't be told now; the list is shown all the same."""
    with suppress(Problem, ImagemillError):
        return await answer_of(parts, tenant, await now(parts, tenant, job))
    return None


def _line(status: JobAnswer) -> JobLine:
    return JobLine(
        id=status.id,
        name=status.name,
        state=status.state,
        created_at=status.created_at,
        started_at=status.started_at,
        ended_at=status.ended_at,
        metadata=status.metadata,
        total=status.items.total,
        items=status.items,
        settled_usd=status.cost.settled_usd,
        written_off_usd=status.cost.written_off_usd,
    )


def said_pair(key: str, value: str) -> str:
    """Metadata as it is looked for: in quotes, where white space or commas would part it."""
    text = f"{key}={value}"
    return text if _PLAIN.fullmatch(text) else '"' + _SPECIAL.sub(r"\\\g<0>", text) + '"'


def _wanted(state: str, name: str, metadata: str) -> tuple[Wanted, str | None]:
    """What is looked for, and what can't be."""
    known: JobState | None = state if state in FILTERS else None  # type: ignore[assignment]
    pairs = [_ESCAPED.sub(r"\1", quoted) if quoted else plain for quoted, plain in _PAIR.findall(metadata)]
    found = tuple((key, value) for key, mark, value in (each.partition("=") for each in pairs) if mark)
    problem = None if len(found) == len(pairs) else _HOW
    return Wanted(known, name or None, found), problem
