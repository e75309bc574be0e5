"""/v1/files: upload once, use in many jobs."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from api.context import Context, context, tenant
from api.forms import FormFile
from api.models import FileAnswer
from api.problems import BODY_KIND, INVALID, MALFORMED, NOT_FOUND, UPLOADS_BUSY, Problem, problems
from api.receiving import FileFacts, Slots, body_of, checked_name, facts_of, receive, slots, type_of
from imagemill.domain.ids import new_id
from imagemill.domain.places import facts_key, facts_prefix, file_key

router = APIRouter(prefix="/v1/files", tags=["files"])
Parts = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]

FORM = "multipart/form-data"
NOT_A_FILE = ("application/x-www-form-urlencoded", "multipart/")
FILE_ID = re.compile(r"file_[0-9A-HJKMNP-TV-Z]{26}")
ADDRESS_SECONDS = 300
AT_ONCE = 16
_FILE = {"type": "string", "format": "binary", "description": "The file, with its name."}
BODIES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A form with the field file, or the bytes of the file with its own content type.",
        "content": {
            FORM: {"schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE}}},
            "*/*": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class FilePage(BaseModel):
    """A page of files; ``after`` of the next one is this one's ``last``."""

    object: Literal["list"] = "list"
    data: list[FileAnswer]
    has_more: bool
    last: str | None


@router.post(
    "",
    status_code=201,
    summary="Upload a file",
    openapi_extra=BODIES,
    responses=problems(INVALID, BODY_KIND, UPLOADS_BUSY),
)
async def upload_file(
    *,
    request: Request,
    parts: Parts,
    owner: Tenant,
    free: Annotated[Slots, Depends(slots)],
    filename: Annotated[
        str | None, Query(description="Its name, where the body is the file itself; wins over a form's.")
    ] = None,
) -> FileAnswer:
    """Upload a file, as a form or as it is; it is stored as it is, while it comes."""
    with free.one(owner):
        name, kind, pieces = await _opened(request, filename)
        facts = FileFacts(id=new_id("file"), bytes=0, filename=name, content_type=kind)
        return (await receive(parts.control, owner, facts, pieces)).answer


@router.get("", summary="A page of files")
async def list_files(
    parts: Parts,
    owner: Tenant,
    after: Annotated[str, Query(description="The ``last`` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> FilePage:
    """Files in the order in which they were uploaded."""
    prefix = facts_prefix(owner)
    start = facts_key(owner, after) if FILE_ID.fullmatch(after) else ""
    if after and not start:
        what = f"{after!r} is not the id of a file"
        raise Problem(MALFORMED, f"after: {what}", [("/after", what)])
    ids: list[str] = []
    async for key in parts.control.keys(prefix, start):
        ids.append(key.removeprefix(prefix).removesuffix(".json"))
        if len(ids) > limit:
            break
    shown = ids[:limit]
    data = await _facts_of_all(parts, owner, shown)
    return FilePage(data=data, has_more=len(ids) > limit, last=shown[-1] if shown else None)


@router.get("/{file_id}", summary="What is known of a file")
async def get_file(file_id: str, parts: Parts, owner: Tenant) -> FileAnswer:
    """Name, size, hash and time of upload."""
    return (await _found(parts, owner, file_id)).answer


@router.get(
    "/{file_id}/content",
    summary="The bytes of a file",
    status_code=302,
    response_class=RedirectResponse,
    responses={302: {"description": "Where the bytes are, for five minutes."}},
)
async def get_content(file_id: str, parts: Parts, owner: Tenant) -> RedirectResponse:
    """Leads to a presigned address, at which a browser saves the file under its name."""
    facts = await _found(parts, owner, file_id)
    address = parts.control.presign_get(file_key(owner, file_id), ADDRESS_SECONDS, facts.filename)
    return RedirectResponse(address, status_code=302)


@router.delete("/{file_id}", status_code=204, summary="Delete a file", response_class=Response)
async def delete_file(file_id: str, parts: Parts, owner: Tenant) -> None:
    """The file is gone. A job that has yet to read it fails on it; a job that has read it is not harmed."""
    await _found(parts, owner, file_id)
    await parts.control.delete(file_key(owner, file_id))
    await parts.control.delete(
        facts_key(owner, file_id)
    )  # last, so that a delete that failed can be repeated


async def _opened(request: Request, filename: str | None) -> tuple[str, str, AsyncIterator[bytes]]:
    """Name, content type and bytes of the file that a request brings."""
    said = request.headers.get("content-type", "")
    kind = said.partition(";")[0].strip().lower()
    if kind == FORM:
        form = await FormFile.open(body_of(request), said)
        name = checked_name(form.filename if filename is None else filename, "/file")
        return name, type_of(name), form.pieces()
    if kind.startswith(NOT_A_FILE):
        detail = f"{kind} is no type of a file: send a form ({FORM}), or the bytes with their own type"
        raise Problem(BODY_KIND, detail)
    name = checked_name(filename or "", "/filename")
    return name, type_of(name, kind), body_of(request)


async def _found(parts: Context, owner: str, file_id: str) -> FileFacts:
    facts = await facts_of(parts.control, owner, file_id) if FILE_ID.fullmatch(file_id) else None
    if facts is None:
        raise Problem(NOT_FOUND, f"there is no file {file_id}")
    return facts


async def _facts_of_all(parts: Context, owner: str, file_ids: list[str]) -> list[FileAnswer]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(file_id: str) -> FileFacts | None:
        async with gate:
            return await facts_of(parts.control, owner, file_id)

    found = await asyncio.gather(*map(one, file_ids))
    return [facts.answer for facts in found if facts]  # one may have been deleted meanwhile
