"""Files on their way from a caller into the store, without a stop on a disk.

At most two parts of a file are in memory: one that is sent, and one that fills meanwhile.
"""

import asyncio
import hashlib
import mimetypes
import re
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request

from api.limits import FILE_BYTES, FILENAME_CHARACTERS, MIB, UPLOADS_AT_ONCE, UPLOADS_OF_ONE
from api.models import FileAnswer
from api.problems import INVALID, MALFORMED, TOO_LARGE, UPLOADS_BUSY, Problem
from imagemill.domain.errors import ObjectMissing, StoreError
from imagemill.domain.ids import made_at
from imagemill.domain.places import facts_key, file_key
from imagemill.ports import ObjectStore, StoredPart

log = structlog.get_logger()
BUFFER_BYTES = 8 * MIB
COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
ANY_TYPE = "application/octet-stream"
TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}")


class FileFacts(BaseModel):
    """What is known of an uploaded file, as it is stored beside it."""

    id: str
    bytes: int
    filename: str
    content_type: str
    sha256: str | None = None

    @property
    def answer(self) -> FileAnswer:
        """As callers see it."""
        created_at = datetime.fromtimestamp(made_at(self.id), UTC)
        return FileAnswer(
            id=self.id, bytes=self.bytes, filename=self.filename, sha256=self.sha256, created_at=created_at
        )


class Slots:
    """So many bodies of files are taken in at once, by one process, and so many of one tenant."""

    def __init__(self, most: int = UPLOADS_AT_ONCE, of_one: int = UPLOADS_OF_ONE) -> None:
        self._most = most
        self._of_one = of_one
        self._held: Counter[str] = Counter()

    @contextmanager
    def one(self, tenant: str) -> Iterator[None]:
        """Hold a slot.

        Raises:
            Problem: all are taken, or all that the tenant may have.
        """
        if self._held[tenant] >= self._of_one:
            raise Problem(UPLOADS_BUSY, f"{self._of_one} of your files are coming in; wait until one is done")
        if self._held.total() >= self._most:
            raise Problem(
                UPLOADS_BUSY, "this process takes in as many files as it can; try again in a moment"
            )
        self._held[tenant] += 1
        try:
            yield
        finally:
            self._held -= Counter([tenant])  # which forgets a tenant that holds none


def slots(request: Request) -> Slots:
    """The slots of this process, for a route."""
    found: Slots = request.app.state.slots
    return found


def checked_name(name: str, where: str) -> str:
    """A file's name, if it can be one.

    Raises:
        Problem: it can't.
    """
    what = None
    if not name.strip():
        what = "is empty: the name of the file is needed"
    elif len(name) > FILENAME_CHARACTERS:
        what = f"has {len(name):,} characters; {FILENAME_CHARACTERS} are the most"
    elif any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        what = "has a control character, or half of a surrogate pair"
    if what is not None:
        raise Problem(MALFORMED, f"the file's name {what}", [(where, what)])
    return name


def type_of(name: str, said: str | None = None) -> str:
    """The content type of a file, by its name, or else by what its sender said."""
    kind, packed = mimetypes.guess_type(name)
    if packed:
        return COMPRESSED.get(packed, ANY_TYPE)
    return kind or (said if said and TYPE.fullmatch(said) else ANY_TYPE)


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes.

    Raises:
        Problem: the connection was lost before its end.
    """
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise Problem(MALFORMED, "the connection was lost before the end of the body") from None


class Incoming:
    """One file on its way into the store, in one put if it is small, in parts if it is not."""

    def __init__(self, store: ObjectStore, key: str, content_type: str) -> None:
        self._store = store
        self._key = key
        self._type = content_type
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self._upload: str | None = None
        self._sending: asyncio.Task[StoredPart] | None = None
        self._parts: list[StoredPart] = []
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of all that was written so far."""
        return self._digest.hexdigest()

    async def write(self, piece: bytes) -> None:
        """Take the next bytes of the file; waits where the store is slower than the caller.

        Raises:
            Problem: the file is larger than a file may be.
        """
        self.size += len(piece)
        if self.size > FILE_BYTES:
            raise Problem(TOO_LARGE, f"a file may have {FILE_BYTES:,} bytes")
        self._digest.update(piece)
        self._buffer += piece
        while len(self._buffer) > BUFFER_BYTES:
            await self._send(BUFFER_BYTES)

    async def finish(self) -> None:
        """Store what is left; then the object is there, whole."""
        if self._upload is None:
            await self._store.put(self._key, bytes(self._buffer), content_type=self._type)
            return
        await self._send(len(self._buffer))
        await self._sent()
        await self._store.join_parts(self._key, self._upload, self._parts)

    async def abandon(self, *others: str) -> None:
        """Leave nothing behind, neither under these other keys, also if the request is being cancelled."""
        cleaning = asyncio.ensure_future(self._clean(others))
        try:
            await asyncio.shield(cleaning)
        except asyncio.CancelledError:
            await cleaning
            raise

    async def _send(self, length: int) -> None:
        await self._sent()
        if self._upload is None:
            self._upload = await self._store.begin_parts(self._key, content_type=self._type)
        part = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        number = len(self._parts) + 1
        self._sending = asyncio.ensure_future(self._store.put_part(self._key, self._upload, number, part))

    async def _sent(self) -> None:
        if self._sending is not None:  # its thread can't be called off, so neither is it
            self._parts.append(await asyncio.shield(self._sending))
            self._sending = None

    async def _clean(self, others: Sequence[str]) -> None:
        if self._sending is not None:  # a part that lands after the parts were dropped would stay
            await asyncio.gather(self._sending, return_exceptions=True)
        try:
            if self._upload is not None:
                await self._store.drop_parts(self._key, self._upload)
            for key in (*others, self._key):
                await self._store.delete(key)
        except StoreError as error:
            log.warning("an abandoned file may be left in the store", error=type(error).__name__)


async def receive(
    store: ObjectStore, tenant: str, facts: FileFacts, pieces: AsyncIterator[bytes]
) -> FileFacts:
    """Take in a file of which the size and the hash are not known yet, and note what is known of it.

    Raises:
        Problem: it is empty, too large, or its sender was lost; nothing is left of it then.
    """
    incoming = Incoming(store, file_key(tenant, facts.id), facts.content_type)
    try:
        async for piece in pieces:
            await incoming.write(piece)
        if not incoming.size:
            raise Problem(INVALID, f"the file {facts.filename!r} is empty", [("/file", "is empty")])
        await incoming.finish()
        whole = facts.model_copy(update={"bytes": incoming.size, "sha256": incoming.sha256})
        await note(store, tenant, whole)
    except BaseException:
        await incoming.abandon(facts_key(tenant, facts.id))
        raise
    return whole


async def note(store: ObjectStore, tenant: str, facts: FileFacts) -> None:
    """Write down what is known of a file. From then on it is listed."""
    await store.put(facts_key(tenant, facts.id), facts.model_dump_json().encode())


async def facts_of(store: ObjectStore, tenant: str, file_id: str) -> FileFacts | None:
    """What is known of a file; None: there is no such file."""
    try:
        return FileFacts.model_validate_json(await store.get(facts_key(tenant, file_id)))
    except ObjectMissing:
        return None
