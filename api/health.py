"""Health, and what the types of problems mean: the routes that need no key."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.context import Context, context
from api.problems import KINDS, NOT_FOUND, Problem
from imagemill.domain.errors import ImagemillError, ObjectMissing
from imagemill.storage_probe import PROBE_KEY

router = APIRouter()
STALE = "the file can't be used as it is now, and the log says why; what it said before stays in force"


@router.get("/healthz", tags=["health"], summary="Does this process live?")
async def healthz() -> dict[str, str]:
    """Answers as long as the process does."""
    return {"status": "ok"}


@router.get("/readyz", tags=["health"], summary="Can this process take jobs?")
async def readyz(response: Response, parts: Annotated[Context, Depends(context)]) -> dict[str, str]:
    """Asks the engine and the store; 503 with the one that is away.

    A file of tenants that can't be used any more is told too, but does not make it unready.
    """
    found = {
        "engine": "ok" if await parts.engine.is_reachable() else "away",
        "store": "ok" if await _store_answers(parts) else "away",
    }
    parts.tenants.look()
    if parts.tenants.problem:
        found["tenants"] = STALE
    if "away" in found.values():
        response.status_code = 503
    return found


@router.get("/problems/{slug}", tags=["health"], summary="What a type of problem means")
async def problem(slug: str) -> dict[str, str | int]:
    """The page that the ``type`` of a problem names."""
    for kind in KINDS:
        if kind.slug == slug:
            return {"type": f"/problems/{slug}", "title": kind.title, "status": kind.status}
    raise Problem(NOT_FOUND, f"there is no type of problem {slug!r}")


async def _store_answers(parts: Context) -> bool:
    try:
        await parts.control.head(PROBE_KEY)
    except ObjectMissing:
        return True
    except ImagemillError:
        return False
    return True
