"""Health, and what the types of problems mean: the routes that need no key."""

import html
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from api.context import Context, context
from api.meanings import MEANINGS
from api.openapi_headers import headers
from api.problems import KINDS, NOT_FOUND, Problem, problems
from imagemill.domain.errors import ImagemillError, ObjectMissing, StoreRefused
from imagemill.ports import ObjectStore
from imagemill.storage_probe import PROBE_KEY

router = APIRouter()
PartState = Literal["ok", "away", "refused"]
HTML = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<h1>{title}</h1>
<p>Status {status}, <code>{type}</code></p>
<h2>What it means</h2>
<p>{about}</p>
<h2>What to do</h2>
<p>{remedy}</p>
</html>
"""


class ProblemPage(BaseModel):
    """What a type of problem means."""

    type: str
    title: str
    status: int
    about: str = Field(description="What it means; words in backquotes are code.")
    remedy: str = Field(description="What to do about it.")
    retry_helps: bool = Field(description="Can the same request succeed when it is sent again?")


STALE = "the file can't be used as it is now, and the log says why; what it said before stays in force"


@router.get("/healthz", tags=["health"], summary="Does this process live?")
async def healthz() -> dict[str, str]:
    """Answers as long as the process does."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    tags=["health"],
    summary="Can this process take jobs?",
    responses={503: {"model": dict[str, str], "description": "A part is away."}},
)
async def readyz(response: Response, parts: Annotated[Context, Depends(context)]) -> dict[str, str]:
    """Asks the engine and the store; 503 with the one that is away, or refuses.

    A file of tenants that can't be used any more is told too, but does not make it unready.
    """
    found: dict[str, str] = {
        "engine": "ok" if await parts.engine.is_reachable() else "away",
        "store": await state_of_store(parts.control),
    }
    parts.tenants.look()
    if parts.tenants.problem:
        found["tenants"] = STALE
    if {"away", "refused"} & set(found.values()):
        response.status_code = 503
    return found


@router.get(
    "/problems/{slug}",
    tags=["health"],
    summary="What a type of problem means",
    response_model=ProblemPage,
    responses={
        200: headers("Vary") | {"content": {"text/html": {"schema": {"type": "string"}}}},
        **problems(NOT_FOUND),
    },
)
async def problem(
    slug: str, response: Response, accept: Annotated[str, Header(description="`text/html` for a page.")] = ""
) -> ProblemPage | Response:
    """The page that the ``type`` of a problem names."""
    for kind in KINDS:
        if kind.slug == slug:
            break
    else:
        raise Problem(NOT_FOUND, f"there is no type of problem {slug!r}")
    meaning = MEANINGS[slug]
    page = ProblemPage(
        type=f"/problems/{slug}",
        title=kind.title,
        status=kind.status,
        about=meaning.about,
        remedy=meaning.remedy,
        retry_helps=kind.retry_helps,
    )
    response.headers["Vary"] = "Accept"
    if "text/html" in accept:
        return HTMLResponse(_html(page), headers={"Vary": "Accept"})
    return page


def _html(page: ProblemPage) -> str:
    return HTML.format(**{name: _marked(str(value)) for name, value in page})


def _marked(text: str) -> str:
    """As HTML, what is in backquotes as code."""
    words = html.escape(text).split("`")
    return "".join(f"<code>{word}</code>" if place % 2 else word for place, word in enumerate(words))


async def state_of_store(store: ObjectStore) -> PartState:
    """Can a bucket be read? If not: does it refuse, which somebody has to mend?"""
    try:
        await store.head(PROBE_KEY)
    except ObjectMissing:
        return "ok"
    except StoreRefused:
        return "refused"
    except ImagemillError:
        return "away"
    return "ok"
