"""/v1/uploads: a file part by part, which a lost connection or a restart of the API does not undo.

What is known of an upload is in the store: its record, and the parts themselves, by the store's own list.
Of a part that was sent more than once some stores list every copy; then a note says which was answered last.
"""

import base64
import hashlib
import hmac
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.context import Context, context, tenant
from api.limits import FILE_BYTES, FILENAME_CHARACTERS, LEAST_PART_BYTES, MOST_PARTS, PART_BYTES
from api.models import Body, FileAnswer
from api.openapi_headers import headers
from api.problems import (
    DIFFERS,
    INVALID,
    LENGTH_MISSING,
    MALFORMED,
    NOT_FOUND,
    UPLOAD_DONE,
    UPLOADS_BUSY,
    Problem,
    problems,
)
from api.receiving import FileFacts, Slots, body_of, checked_name, facts_of, note, slots, type_of
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.ids import made_at, new_id
from imagemill.domain.places import (
    file_key,
    replaced_key,
    replaced_prefix,
    upload_key,
    uploads_prefix,
)
from imagemill.ports import ObjectStore, StoredPart

router = APIRouter(prefix="/v1/uploads", tags=["files"])
Parts = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]
Number = Annotated[int, Path(ge=1, le=MOST_PARTS)]

UPLOAD_ID = re.compile(r"upload_[0-9A-HJKMNP-TV-Z]{26}")
LIFE = timedelta(days=1)
CLEANED_AT_ONCE = 20
"""So many uploads whose time is over are removed when a tenant begins another one."""

_RAW: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
}
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]


class UploadBody(Body):
    """A file that is to come in parts."""

    filename: Annotated[str, Field(min_length=1, max_length=FILENAME_CHARACTERS, examples=["catalog.jsonl"])]
    bytes: int | None = Field(
        default=None, ge=1, le=FILE_BYTES, description="Its size, checked at the end if it is given."
    )


class CompleteBody(Body):
    """What the whole must be; what is left out is not checked."""

    sha256: Sha256 | None = Field(default=None, description="Checked by reading the whole once more.")
    bytes: int | None = Field(default=None, ge=1)


class PartAnswer(BaseModel):
    """A part that is there."""

    number: int
    bytes: int


class UploadAnswer(BaseModel):
    """A file that comes in parts."""

    id: str
    object: Literal["upload"] = "upload"
    filename: str
    bytes: int | None = Field(description="The size that was announced.")
    part_bytes: int = Field(description="The size to cut the file by; no part may be larger.")
    least_part_bytes: int = Field(description="No part but the last may be smaller.")
    created_at: datetime
    expires_at: datetime = Field(description="Then it is gone, unless it was completed; the file stays.")
    parts: list[PartAnswer]
    received_bytes: int
    file: FileAnswer | None = Field(description="The file, once the upload was completed.")


class Upload(BaseModel):
    """What is stored of an upload that was begun."""

    id: str
    file_id: str
    filename: str
    bytes: int | None
    store_upload: str

    @property
    def created_at(self) -> datetime:
        """When it was begun."""
        return datetime.fromtimestamp(made_at(self.id), UTC)

    @property
    def expires_at(self) -> datetime:
        """When it is gone."""
        return self.created_at + LIFE


@router.post(
    "",
    status_code=201,
    summary="Begin a file that comes in parts",
    responses={201: headers("Location")},
)
async def begin_upload(body: UploadBody, response: Response, parts: Parts, owner: Tenant) -> UploadAnswer:
    """Begin an upload, which lasts a day. Cut the file by ``part_bytes`` and number the parts from 1."""
    await _clean(parts.control, owner)
    name, file_id = checked_name(body.filename, "/filename"), new_id("file")
    begun = await parts.control.begin_parts(file_key(owner, file_id), content_type=type_of(name))
    upload = Upload(id=new_id("upload"), file_id=file_id, filename=name, bytes=body.bytes, store_upload=begun)
    await parts.control.put(upload_key(owner, upload.id), upload.model_dump_json().encode())
    response.headers["Location"] = f"/v1/uploads/{upload.id}"
    return _answer(upload, [], None)


@router.get("/{upload_id}", summary="What has come of a file in parts")
async def get_upload(upload_id: str, parts: Parts, owner: Tenant) -> UploadAnswer:
    """Which parts are there, so that a client that lost its connection can go on."""
    upload = await _found(parts, owner, upload_id)
    if facts := await facts_of(parts.control, owner, upload.file_id):
        return _answer(upload, [], facts.answer)
    try:
        there = await _parts_of(parts.control, owner, upload)
    except ObjectMissing:  # joined, by a call that has not been answered yet; or the file was deleted
        await _joined_size(parts.control, owner, upload)
        there = []
    return _answer(upload, there, None)


@router.put(
    "/{upload_id}/parts/{number}",
    summary="Send a part",
    openapi_extra=_RAW,
    responses=problems(INVALID, DIFFERS, LENGTH_MISSING, UPLOAD_DONE, UPLOADS_BUSY),
)
async def put_part(
    *,
    upload_id: str,
    number: Number,
    request: Request,
    parts: Parts,
    owner: Tenant,
    free: Annotated[Slots, Depends(slots)],
    content_md5: Annotated[str | None, Header(max_length=24, description="In base64.")] = None,
    x_content_sha256: Annotated[str | None, Header(pattern=r"^[0-9a-fA-F]{64}$")] = None,
) -> PartAnswer:
    """Send the bytes of a part as they are; in any order, several at once. The same number replaces it.

    Where ``Content-MD5`` or ``x-content-sha256`` is sent and differs, nothing is kept.
    """
    announced = request.headers.get("content-length")  # the server has checked that it is a number
    if announced is None:
        raise Problem(LENGTH_MISSING, "send the size of the part as Content-Length")
    with free.one(owner):
        upload = await _open(parts, owner, upload_id)
        data = await _whole(request, int(announced))
        _check(data, content_md5, x_content_sha256)
        part = await _keep(parts.control, owner, upload, number, data)
    return PartAnswer(number=number, bytes=part.size)


@router.post(
    "/{upload_id}/complete",
    summary="Make a file of its parts",
    responses=problems(INVALID, DIFFERS),
)
async def complete_upload(
    upload_id: str, parts: Parts, owner: Tenant, body: CompleteBody | None = None
) -> FileAnswer:
    """Join the parts, 1 to the last without a gap. Called again, it answers with the same file."""
    wanted = body or CompleteBody()
    upload = await _found(parts, owner, upload_id)
    facts = await facts_of(parts.control, owner, upload.file_id)
    if facts is None:
        await _join(parts.control, owner, upload, wanted)
        facts = await _read_back(parts.control, owner, upload, wanted)
    elif wanted.sha256 and facts.sha256 is None:
        facts = facts.model_copy(update={"sha256": await _digest(parts.control, owner, upload)})
    _compare(facts, wanted)
    await note(parts.control, owner, facts)
    return facts.answer


@router.delete(
    "/{upload_id}",
    status_code=204,
    summary="Give up a file in parts",
    response_class=Response,
    responses=problems(UPLOAD_DONE),
)
async def abort_upload(upload_id: str, parts: Parts, owner: Tenant) -> None:
    """Its parts are gone. An upload that was completed has become a file, which is deleted as such."""
    upload = await _open(parts, owner, upload_id)
    await _remove(parts.control, owner, upload)


# --- the record ----------------------------------------------------------------------------------


async def _found(parts: Context, owner: str, upload_id: str) -> Upload:
    upload = await _recorded(parts.control, owner, upload_id) if UPLOAD_ID.fullmatch(upload_id) else None
    if upload is None or upload.expires_at <= parts.now():
        raise Problem(NOT_FOUND, f"there is no upload {upload_id}")
    return upload


async def _open(parts: Context, owner: str, upload_id: str) -> Upload:
    """An upload that was not completed."""
    upload = await _found(parts, owner, upload_id)
    if await facts_of(parts.control, owner, upload.file_id):
        raise Problem(UPLOAD_DONE, f"the upload has been completed as file {upload.file_id}")
    return upload


async def _recorded(store: ObjectStore, owner: str, upload_id: str) -> Upload | None:
    try:
        return Upload.model_validate_json(await store.get(upload_key(owner, upload_id)))
    except ObjectMissing:
        return None


async def _remove(store: ObjectStore, owner: str, upload: Upload) -> None:
    """Parts first: what is left of a removal that failed is found by the next one."""
    key = file_key(owner, upload.file_id)
    await store.drop_parts(key, upload.store_upload)
    if not await facts_of(store, owner, upload.file_id):
        await store.delete(key)  # joined by a call that did not come to its end
    async for key in store.keys(replaced_prefix(owner, upload.id)):
        await store.delete(key)
    await store.delete(upload_key(owner, upload.id))


async def _clean(store: ObjectStore, owner: str) -> None:
    """Remove the oldest uploads of the tenant, if their time is over; what was completed stays a file."""
    prefix, seen = uploads_prefix(owner), 0
    async for key in store.keys(prefix):
        upload_id = key.removeprefix(prefix).removesuffix(".json")
        age = datetime.now(UTC) - datetime.fromtimestamp(made_at(upload_id), UTC)
        seen += 1
        if age < LIFE or seen > CLEANED_AT_ONCE:
            return
        if upload := await _recorded(store, owner, upload_id):
            await _remove(store, owner, upload)


def _answer(upload: Upload, there: list[StoredPart], file: FileAnswer | None) -> UploadAnswer:
    return UploadAnswer(
        id=upload.id,
        filename=upload.filename,
        bytes=upload.bytes,
        part_bytes=PART_BYTES,
        least_part_bytes=LEAST_PART_BYTES,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
        parts=[PartAnswer(number=part.number, bytes=part.size) for part in there],
        received_bytes=file.bytes if file else sum(part.size for part in there),
        file=file,
    )


# --- parts ---------------------------------------------------------------------------------------


async def _whole(request: Request, length: int) -> bytes:
    data = bytearray()
    async for piece in body_of(request):
        data += piece
    if not data:
        raise Problem(INVALID, "the part is empty", [("/", "is empty")])
    if len(data) != length:
        raise Problem(MALFORMED, f"the part has {len(data):,} bytes; Content-Length says {length:,}")
    return bytes(data)


def _check(data: bytes, md5: str | None, sha256: str | None) -> None:
    if md5 is not None:
        try:
            wanted = base64.b64decode(md5, validate=True)
        except ValueError:  # not base64, or not ASCII at all
            raise Problem(MALFORMED, "Content-MD5 is not base64") from None
        if not hmac.compare_digest(hashlib.md5(data, usedforsecurity=False).digest(), wanted):
            raise Problem(DIFFERS, "the part is not what Content-MD5 says; send it again")
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256.lower():
        raise Problem(DIFFERS, "the part is not what x-content-sha256 says; send it again")


async def _keep(store: ObjectStore, owner: str, upload: Upload, number: int, data: bytes) -> StoredPart:
    key = file_key(owner, upload.file_id)
    try:
        part = await store.put_part(key, upload.store_upload, number, data)
        listed = await store.list_parts(key, upload.store_upload)
    except ObjectMissing:
        raise Problem(NOT_FOUND, f"there is no upload {upload.id} any more") from None
    if sum(other.number == number for other in listed) > 1:
        await store.put(replaced_key(owner, upload.id, number), part.tag.encode(), content_type="text/plain")
    return part


async def _parts_of(store: ObjectStore, owner: str, upload: Upload) -> list[StoredPart]:
    """One part a number. A number of which it is not known which copy counts is left out: send it again.

    Raises:
        ObjectMissing: the parts were joined or dropped.
    """
    copies: defaultdict[int, list[StoredPart]] = defaultdict(list)
    for part in await store.list_parts(file_key(owner, upload.file_id), upload.store_upload):
        copies[part.number].append(part)
    chosen = []
    for number in sorted(copies):
        found = copies[number]
        if len({part.tag for part in found}) > 1:
            tag = await _replaced(store, owner, upload, number)
            found = [part for part in found if part.tag == tag]
        chosen += found[:1]
    return chosen


async def _replaced(store: ObjectStore, owner: str, upload: Upload, number: int) -> str | None:
    try:
        return (await store.get(replaced_key(owner, upload.id, number))).decode()
    except ObjectMissing:
        return None


# --- the whole -----------------------------------------------------------------------------------


async def _join(store: ObjectStore, owner: str, upload: Upload, wanted: CompleteBody) -> None:
    key = file_key(owner, upload.file_id)
    try:
        there = await _parts_of(store, owner, upload)
        _check_parts(there, upload, wanted)
        await store.join_parts(key, upload.store_upload, there)
    except ObjectMissing:
        return  # joined before, by a call whose answer was lost; or dropped, as the next step finds


def _check_parts(there: list[StoredPart], upload: Upload, wanted: CompleteBody) -> None:
    if not there:
        raise Problem(INVALID, "no part has come yet", [("/parts", "is empty")])
    gap = next((a for a, b in pairwise([0, *(part.number for part in there)]) if b != a + 1), None)
    if gap is not None:
        what = f"part {gap + 1} is missing; send it"
        raise Problem(INVALID, f"there is a gap: {what}", [(f"/parts/{gap + 1}", what)])
    small = [part for part in there[:-1] if part.size < LEAST_PART_BYTES]
    if small:
        what = f"has {{:,}} bytes; all but the last must have {LEAST_PART_BYTES:,} at least"
        errors = [(f"/parts/{part.number}", what.format(part.size)) for part in small]
        raise Problem(INVALID, f"part {small[0].number} {errors[0][1]}", errors)
    size = sum(part.size for part in there)
    if size > FILE_BYTES:
        raise Problem(INVALID, f"all parts together have {size:,} bytes; {FILE_BYTES:,} are the most")
    for said in (upload.bytes, wanted.bytes):
        if said is not None and said != size:
            detail = f"all parts together have {size:,} bytes, and not {said:,}"
            raise Problem(DIFFERS, detail, [("/bytes", detail)])


async def _read_back(store: ObjectStore, owner: str, upload: Upload, wanted: CompleteBody) -> FileFacts:
    """What is known of the joined file; its hash where the caller said what it must be."""
    size = await _joined_size(store, owner, upload)
    facts = FileFacts(
        id=upload.file_id,
        bytes=size,
        filename=upload.filename,
        content_type=type_of(upload.filename),
        sha256=await _digest(store, owner, upload) if wanted.sha256 else None,
    )
    try:
        _compare(facts, wanted)
    except Problem:
        await _remove(store, owner, upload)
        raise
    return facts


async def _joined_size(store: ObjectStore, owner: str, upload: Upload) -> int:
    try:
        return (await store.head(file_key(owner, upload.file_id))).size
    except ObjectMissing:
        raise Problem(NOT_FOUND, f"there is no upload {upload.id} any more") from None


async def _digest(store: ObjectStore, owner: str, upload: Upload) -> str:
    digest = hashlib.sha256()
    async for piece in store.pieces(file_key(owner, upload.file_id)):
        digest.update(piece)
    return digest.hexdigest()


def _compare(facts: FileFacts, wanted: CompleteBody) -> None:
    if wanted.bytes is not None and wanted.bytes != facts.bytes:
        detail = f"the file has {facts.bytes:,} bytes, and not {wanted.bytes:,}"
        raise Problem(DIFFERS, detail, [("/bytes", detail)])
    if wanted.sha256 is not None and facts.sha256 not in (None, wanted.sha256.lower()):
        detail = "the whole has another SHA-256 than was announced; begin a new upload"
        raise Problem(DIFFERS, detail, [("/sha256", detail)])
