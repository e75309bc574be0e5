"""The submit page: choose a feed, write the templates, see prompts and price, try one item, go.

Everything is one form with several buttons: each sends all that was typed, and the page comes back with it
and with what the button has found out. So it works without a script, and nothing that was typed is lost. The
form carries a key under which it makes one job, however often it is sent.
"""

import asyncio
import re
import time
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from api.context import Context
from api.jobs import list_items
from api.models import FileAnswer, JobBody, ManifestBody
from api.offers import ModelAnswer, list_models
from api.problems import KEY_REUSED, Problem
from api.receiving import FileFacts, checked_name, facts_of, receive, slots, type_of
from api.schedule_models import SCHEDULE_ID
from api.schedules import get_schedule
from api.status import status_of
from dashboard.drafts import SOURCES, Draft, fields_of, typed_job, usd
from dashboard.faults import blame
from dashboard.pages import fragment, page
from dashboard.previewing import opened, previewed
from dashboard.schedules import choices
from dashboard.sheets import STEPS, Press, Sheet, look, rows_of
from dashboard.timetables import DEFAULTS as TIMES
from dashboard.timetables import EVERY, KEPT
from dashboard.viewer import Change, Changing, Looking, Parts, Viewer
from dashboard.words import size
from imagemill.domain.errors import EngineUnavailable, ImagemillError, InvalidInput, StoreError
from imagemill.domain.ids import id_of, new_id
from imagemill.domain.job_states import ENDED
from imagemill.domain.places import facts_key, facts_prefix
from imagemill.domain.request import EXTENSIONS

router = APIRouter()

LOOKED_BACK = (1, 30, 0)
"""Days; 0: all there are."""
KNOWN_FILES = 50
"""So many of the last uploads can be chosen from."""
PIECE = 1024 * 1024
ONCE = re.compile(r"[\w-]{16,64}")
QUALITIES = ("auto", "low", "medium", "high", "xhigh", "max")
SIZES = ("1024x1024", "1536x1024", "1024x1536", "2048x2048", "auto")


@router.get("/submit")
async def submit_page(
    *,
    request: Request,
    viewer: Looking,
    parts: Parts,
    file: str = "",
    every: str = "",
    schedule: Annotated[str, Query(pattern=f"^$|{SCHEDULE_ID}")] = "",
) -> Response:
    """An empty form; with that feed; for a new schedule; or with what a schedule submits, to be changed."""
    viewer.require("submit")
    draft = Draft.new().with_(file_id=file, s_every=every if every in EVERY else "", **TIMES)
    if schedule:
        found = await get_schedule(schedule, parts, viewer.tenant)
        draft = draft.with_(**typed_job(found.job), schedule=found.id, s_name=found.name, s_every=KEPT)
    sheet = Sheet(draft)
    sheet.draft, sheet.preview = await opened(parts, viewer.tenant, sheet.draft, sheet.faults)
    return await _shown(request, viewer, parts, sheet)


@router.post("/submit")
async def submitted(request: Request, change: Changing, parts: Parts) -> Response:
    """One of the form's buttons."""
    sheet = Sheet(_draft(change))
    step, _, value = change.text("do").partition(":")
    try:
        try:
            await _take_file(request, change, parts, sheet)
        finally:
            await change.form.close()
        sheet.draft, sheet.preview = await opened(parts, change.viewer.tenant, sheet.draft, sheet.faults)
        if done := await STEPS.get(step, look)(Press(request, change.viewer, parts, value), sheet):
            return done
    except InvalidInput as error:
        blame(sheet.faults, error)
    except Problem as problem:
        _tell(sheet, problem)
    except (EngineUnavailable, StoreError) as error:
        sheet.status = 503
        sheet.faults.add(
            None, f"{error}. Nothing that you typed is lost: press the button again in a moment."
        )
    if sheet.faults and sheet.status == 200:
        sheet.status = 422
    return await _shown(request, change.viewer, parts, sheet)


@router.post("/submit/preview")
async def live_preview(change: Changing, parts: Parts) -> Response:
    """The part of the page that shows prompts, for the script that keeps it fresh while somebody types."""
    sheet = Sheet(_draft(change))
    await change.form.close()
    try:
        sheet.draft, sheet.preview = await opened(parts, change.viewer.tenant, sheet.draft, sheet.faults)
        sheet.preview = await previewed(parts, change.viewer.tenant, sheet.draft, sheet.preview, sheet.faults)
    except ImagemillError as error:
        sheet.faults.add(None, str(error))
    return fragment("submit_preview.html", sheet=sheet)


@router.get("/submit/trial/{job}")
async def trial_state(job: str, viewer: Looking, parts: Parts) -> Response:
    """The item that is being tried: how it stands, and its image once it is there."""
    status = await status_of(parts, viewer.tenant, job)
    items = await list_items(job=job, parts=parts, owner=viewer.tenant, limit=1)
    item = items.data[0] if items.data else None
    address = f"/jobs/{job}/items/{quote(item.custom_id, safe='')}" if item else None
    return fragment("submit_trial_state.html", job=status, item=item, address=address, ended=ENDED)


# --- the form -------------------------------------------------------------------------------------


def _draft(change: Change) -> Draft:
    """What was typed; a key that is none is replaced.

    Of another feed than the one that was read, the format is found out anew, unless it was said.
    """
    draft = Draft(fields_of(change.form.multi_items()))
    if not ONCE.fullmatch(draft.text("once")):
        draft = draft.with_(once=Draft.new().text("once"))
    other = draft.text("file_id") != draft.text("read_id")
    return draft.with_(format="") if other and draft.text("format") == draft.text("read_format") else draft


async def _take_file(request: Request, change: Change, parts: Context, sheet: Sheet) -> None:
    """Store the feed that came with the form; from then on the form names it."""
    sent = change.form.get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        return
    name = checked_name(sent.filename, "/manifest/file_id")

    async def pieces() -> Any:
        while piece := await sent.read(PIECE):
            yield piece

    with slots(request).one(change.viewer.tenant):
        facts = FileFacts(id=new_id("file"), bytes=0, filename=name, content_type=type_of(name))
        stored = await receive(parts.control, change.viewer.tenant, facts, pieces())
    sheet.draft = sheet.draft.with_(file_id=stored.id, format="", source="file")


def _tell(sheet: Sheet, problem: Problem) -> None:
    """A refusal that is not about a field, or is and says so."""
    sheet.status = problem.kind.status
    if problem.kind is KEY_REUSED:
        sheet.draft = sheet.draft.with_(once=Draft.new().text("once"))
        sheet.faults.add(
            None,
            f"This form has been sent before, with other words: {problem.detail}. "
            "To make another job of it as it is now, submit it again.",
        )
        return
    if problem.errors:
        blame(sheet.faults, InvalidInput(problem.errors))
    else:
        sheet.faults.add(None, f"{problem.detail[:1].upper()}{problem.detail[1:]}.")


async def _shown(request: Request, viewer: Viewer, parts: Context, sheet: Sheet) -> Response:
    files = await _files(parts, viewer.tenant, sheet.draft.text("file_id"))
    models = [model for model in (await list_models(parts)).data if model.available]
    known = JobBody.model_fields
    return await page(
        request,
        "submit.html",
        status=sheet.status,
        sheet=sheet,
        draft=sheet.draft,
        faults=sheet.faults,
        known_files=[(each.id, _named(each)) for each in files],
        models=[(model.id, _priced(model)) for model in models],
        pools=parts.pools_of(viewer.tenant),
        pool_choices=[
            ("", "The first that serves the model"),
            *((name, name) for name in parts.pools_of(viewer.tenant)),
        ],
        quality_choices=[(name, name.capitalize()) for name in QUALITIES],
        sizes=SIZES,
        format_choices=[(name, name) for name in EXTENSIONS],
        can={name: name in known for name in ("reuse", "renditions")}
        | {"source": "source" in ManifestBody.model_fields, "schedules": parts.schedules is not None},
        variant_rows=rows_of(sheet.draft, "variant"),
        rendition_rows=rows_of(sheet.draft, "rendition"),
        enough=_enough,
        times=sheet.times,
        sources=list(SOURCES.items()),
        choices=choices(sheet.draft, instead=True),
    )


async def _files(parts: Context, tenant: str, chosen: str) -> list[FileAnswer]:
    """The last uploads, the newest first, and the one that is chosen whenever it was uploaded.

    Ids sort by time: it is looked further and further back until there are enough, so that a tenant with many
    files does not wait for all of their names.
    """
    prefix, ids = facts_prefix(tenant), list[str]()
    for days in LOOKED_BACK:
        since = facts_key(tenant, id_of("file", int((time.time() - days * 86400) * 1000), 0))
        found = parts.control.keys(prefix, since if days else "")
        ids = [key.removeprefix(prefix).removesuffix(".json") async for key in found][-KNOWN_FILES:]
        if len(ids) == KNOWN_FILES:
            break
    ids.reverse()
    if chosen and chosen not in ids:
        ids.append(chosen)
    known = await asyncio.gather(*(facts_of(parts.control, tenant, file_id) for file_id in ids))
    return [
        facts.answer
        for facts in known
        if facts and (facts.id == chosen or not facts.content_type.startswith("image/"))
    ]


def _named(known: FileAnswer) -> str:
    """A file and when it was uploaded."""
    return f"{known.filename} · {size(known.bytes)} · {known.created_at:%d %b %H:%M}"


def _priced(model: ModelAnswer) -> str:
    """A model and what tells its price."""
    prices = model.pools[0].prices if model.pools else None
    if prices and prices.image_usd:
        return f"{model.id} · ${prices.image_usd} an image"
    return model.id


def _enough(sheet: Sheet) -> tuple[str, str] | None:
    """Does the cap that was typed do? Its tone and its words; None: there is none yet."""
    said = usd(sheet.draft.text("limit_usd"))
    if sheet.estimate is None or not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", said):
        return None
    cap, estimate = Decimal(said), sheet.estimate.estimate
    if cap >= Decimal(estimate.high_usd):
        return "good", "Your cap is enough for all items, even if each costs the most that it can."
    if cap >= Decimal(estimate.expected_usd):
        return "good", "Your cap is enough for all items at what they are expected to cost."
    return "warn", "Your cap is not enough for all items: the job will be held, or skip what is left."
