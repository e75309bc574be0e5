"""A file on its way to the service: in one request, or in parts where it is large."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cli.answers import File
from cli.client import UPLOAD_TIMEOUT, Client
from cli.errors import Stopped
from cli.patience import STUBBORN, Say, patiently
from cli.reading import Told

ONE_REQUEST = 64 * 2**20
"""Larger files go in parts, which a lost connection does not undo."""

PARTS_AT_ONCE = 3


class Part(BaseModel):
    """A part that is there."""

    number: int
    bytes: int


class Upload(BaseModel):
    """A file that comes in parts."""

    id: str
    filename: str
    bytes: int | None
    part_bytes: int
    received_bytes: int
    parts: list[Part]
    file: File | None


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a file that is still to be sent."""

    number: int
    start: int
    size: int


async def send_file(
    client: Client, path: Path, *, say: Say, resume: str | None = None, whole: int = ONE_REQUEST
) -> Told[File]:
    """Uploads a file; what fails for a moment is tried again.

    Args:
        client: of the service.
        path: the file.
        say: told what is tried again, and how to go on after a break.
        resume: an upload in parts that was begun before.
        whole: up to so many bytes go in one request.

    Raises:
        Stopped: the upload to go on with is of another file.
    """
    size = await asyncio.to_thread(_size, path)
    if resume is None and size <= whole:
        return await patiently(lambda: client.sent(path), say=say)
    upload = await (
        _begun(client, path, size, say) if resume is None else _known(client, path, size, resume, say)
    )
    if upload.file is None:
        try:
            await _send_parts(client, path, upload, size, say)
        except BaseException:
            say(f"To go on with it within a day: imagemill files upload {path} --resume {upload.id}")
            raise
    return await patiently(
        lambda: client.ask(
            File,
            "POST",
            f"/v1/uploads/{upload.id}/complete",
            json={"bytes": size},
            timeout=UPLOAD_TIMEOUT,
        ),
        say=say,
        waits=STUBBORN,
    )


async def _begun(client: Client, path: Path, size: int, say: Say) -> Upload:
    body: dict[str, Any] = {"filename": path.name, "bytes": size}
    return (await patiently(lambda: client.ask(Upload, "POST", "/v1/uploads", json=body), say=say)).model


async def _known(client: Client, path: Path, size: int, upload: str, say: Say) -> Upload:
    found = (await patiently(lambda: client.ask(Upload, "GET", f"/v1/uploads/{upload}"), say=say)).model
    if found.bytes is not None and found.bytes != size:
        raise Stopped(f"{upload} was begun with a file of {found.bytes:,} bytes; {path} has {size:,}.")
    return found


async def _send_parts(client: Client, path: Path, upload: Upload, size: int, say: Say) -> None:
    turns = asyncio.Semaphore(PARTS_AT_ONCE)

    async def send(part: Slice) -> None:
        async with turns:
            data = await asyncio.to_thread(_read, path, part)
            headers = {"x-content-sha256": hashlib.sha256(data).hexdigest()}
            address = f"/v1/uploads/{upload.id}/parts/{part.number}"
            await patiently(
                lambda: client.call("PUT", address, content=data, headers=headers, timeout=UPLOAD_TIMEOUT),
                say=say,
                waits=STUBBORN,
            )

    tasks = [asyncio.create_task(send(part)) for part in missing(upload, size)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def missing(upload: Upload, size: int) -> list[Slice]:
    """The parts that are not there yet, or not as they should be."""
    there = {part.number: part.bytes for part in upload.parts}
    slices = [
        Slice(number, start, min(upload.part_bytes, size - start))
        for number, start in enumerate(range(0, size, upload.part_bytes), start=1)
    ]
    return [each for each in slices if there.get(each.number) != each.size]


def _size(path: Path) -> int:
    return path.stat().st_size


def _read(path: Path, part: Slice) -> bytes:
    with path.open("rb") as content:
        content.seek(part.start)
        return content.read(part.size)
