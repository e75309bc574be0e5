"""Uploads: small ones in one request, larger ones in numbered parts, each of which can be sent again."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from imagemill_client._core.core import Core, pages, said, segment
from imagemill_client._core.items import location
from imagemill_client._core.reading import read
from imagemill_client._core.steps import Call, work
from imagemill_client.errors import NotConfigured, StoreError
from imagemill_client.models import File, FilePage, Upload

Source: TypeAlias = Path | str | bytes | BinaryIO
"""A path, the bytes themselves, or something open for reading bytes."""
ONE_REQUEST = 16 * 1024 * 1024
"""What is smaller comes in one request."""
UPLOAD_SECONDS = 600.0
FILES = "/v1/files"
UPLOADS = "/v1/uploads"


class Reader:
    """Reads a source once, from where it stands, and knows the hash of what it gave."""

    def __init__(self, source: Source) -> None:
        self.digest = hashlib.sha256()
        self.bytes = 0
        self._kept = b""
        self._own = isinstance(source, str | Path)
        self._file: BinaryIO | io.BufferedReader = _opened(source)

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end."""
        pieces, left = [self._kept], size - len(self._kept)
        self._kept = b""
        while left > 0 and (piece := self._file.read(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def keep(self, data: bytes) -> None:
        """What was read comes again."""
        self._kept = data

    def part(self, size: int) -> bytes:
        """The same as `read`, for good: it counts, and is part of the hash."""
        data = self.read(size)
        self._kept, data = data[size:], data[:size]
        self.digest.update(data)
        self.bytes += len(data)
        return data

    def close(self) -> None:
        """Close what was opened here."""
        if self._own:
            self._file.close()


def _opened(source: Source) -> BinaryIO | io.BufferedReader:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    return Path(source).open("rb") if isinstance(source, str | Path) else source


def upload(core: Core, source: Source, *, filename: str | None = None) -> Call[File]:
    """Upload a file, to be named by its id in jobs; checked by its SHA-256.

    Above 16 MiB it is sent in parts of that size, one of which is in memory at a time; a part that was lost
    is sent again.

    ``filename`` is needed where the source does not say it; its ending says what the file is.

    Raises:
        StoreError: what arrived is not what was sent.
    """
    name = filename or _name(source)
    reader = yield from work(lambda: Reader(source))
    try:
        start = yield from work(lambda: reader.read(ONE_REQUEST))
        reader.keep(start)
        if len(start) < ONE_REQUEST:
            return (yield from _whole(core, reader, name))
        return (yield from _in_parts(core, reader, name))
    finally:
        reader.close()


def _name(source: Source) -> str:
    said = source if isinstance(source, str | Path) else getattr(source, "name", None)
    if not isinstance(said, str | Path):
        raise NotConfigured("Bytes have no name: give filename, such as catalog.csv.")
    return Path(said).name


def _whole(core: Core, reader: Reader, name: str) -> Call[File]:
    data = yield from work(lambda: reader.part(ONE_REQUEST))
    reply = yield from core.ask(
        "POST",
        FILES,
        query={"filename": name},
        content=data,
        headers={"content-type": "application/octet-stream"},
        timeout=max(core.timeout, UPLOAD_SECONDS),
        repeatable=True,  # at worst, a file lies there that nobody names
    )
    file = read(File, reply)
    if file.sha256 not in (None, reader.digest.hexdigest()):
        raise StoreError(f"What arrived of {name} is not what was sent; upload it again.")
    return file


def _in_parts(core: Core, reader: Reader, name: str) -> Call[File]:
    begun = yield from core.post(Upload, UPLOADS, json={"filename": name}, repeatable=True)
    path, number = f"{UPLOADS}/{segment(begun.id)}", 0
    while data := (yield from work(lambda: reader.part(begun.part_bytes))):
        number += 1
        yield from core.ask(
            "PUT",
            f"{path}/parts/{number}",
            content=data,
            headers={
                "content-type": "application/octet-stream",
                "x-content-sha256": hashlib.sha256(data).hexdigest(),
            },
            timeout=max(core.timeout, UPLOAD_SECONDS),
        )
    whole = {"sha256": reader.digest.hexdigest(), "bytes": reader.bytes}
    return (
        yield from core.post(
            File, f"{path}/complete", json=whole, repeatable=True, timeout=max(core.timeout, UPLOAD_SECONDS)
        )
    )


def get(core: Core, file: str) -> Call[File]:
    """Name, size, hash and time of upload."""
    return core.get(File, f"{FILES}/{segment(file)}")


def list_files(core: Core, *, page_size: int = 100) -> Iterator[Call[list[File]]]:
    """Files in the order in which they were uploaded."""
    return pages(core, FilePage, FILES, lambda page: page.data, said(limit=page_size))


def content(core: Core, file: str) -> Call[bytes]:
    """The bytes of a file."""
    reply = yield from core.ask("GET", f"{FILES}/{segment(file)}/content")
    return (yield from core.fetch(location(reply))).content


def delete(core: Core, file: str) -> Call[None]:
    """Delete a file. A job that has yet to read it fails on it."""
    yield from core.ask("DELETE", f"{FILES}/{segment(file)}")
