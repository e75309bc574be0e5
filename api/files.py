"""POST /v1/files: upload once, use in many jobs."""

import asyncio
import hashlib
import mimetypes
from datetime import UTC, datetime
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Depends, UploadFile

from api.context import Context, context, tenant
from api.models import FileAnswer
from api.problems import INVALID, Problem, problems
from imagemill.domain.ids import new_id
from imagemill.domain.places import file_key

router = APIRouter(tags=["files"])


@router.post("/v1/files", status_code=201, summary="Upload a file", responses=problems(INVALID))
async def upload_file(
    file: UploadFile, parts: Annotated[Context, Depends(context)], owner: Annotated[str, Depends(tenant)]
) -> FileAnswer:
    """Upload a file as multipart form data, in the field ``file``; it is stored as it is."""
    digest, size = await asyncio.to_thread(_measure, file.file)
    name = file.filename or "file"
    if size == 0:
        raise Problem(INVALID, f"the file {name!r} is empty", [("/file", "is empty")])
    file_id = new_id("file")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    await parts.control.upload(
        file_key(owner, file_id),
        file.file,
        content_type=kind,
        metadata={"filename": name[:60], "sha256": digest},
    )
    return FileAnswer(id=file_id, bytes=size, filename=name, sha256=digest, created_at=datetime.now(UTC))


def _measure(file: BinaryIO) -> tuple[str, int]:
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    size = file.tell()
    file.seek(0)
    return digest.hexdigest(), size
