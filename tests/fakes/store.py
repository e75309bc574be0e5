"""An object store in memory, which can be told to be away or to lose an answer."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from imagemill.domain.errors import ObjectExists, ObjectMissing, StoreRefused, StoreUnavailable
from imagemill.ports import ListedObject, ObjectFacts, StoredPart

METADATA_BYTES = 2048
LEAST_PART = 5 * 1024 * 1024


class MemoryStore:
    """Implements ``imagemill.ports.ObjectStore``.

    Attributes:
        parts: of each object that still comes in parts, by key and upload, (number, bytes) of all
            parts that ever came: like SeaweedFS, it forgets none that another one was to replace.
        modified: when each object was put last.
        calls: every call that came in, as (method, key), those that failed included.
        away: so many of the next calls raise StoreUnavailable and do nothing.
        refuses: every call raises StoreRefused and does nothing, as with keys that have expired.
        lost_answers: so many of the next ``put_new`` do their work and raise StoreUnavailable all the same.
    """

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, ObjectFacts]] = {}
        self.modified: dict[str, datetime] = {}
        self.parts: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
        self.types: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.away = 0
        self.refuses = False
        self.lost_answers = 0

    @property
    def written(self) -> list[str]:
        """The keys that there are, in order."""
        return sorted(self.objects)

    def data(self, key: str) -> bytes:
        """The bytes of an object, seen from outside."""
        return self.objects[key][0]

    async def put(self, key: str, data: bytes, *, content_type: str = "application/json") -> None:
        await self._arrive("put", key)
        self._keep(key, data, content_type, {})

    async def put_new(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/json",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        _check(metadata or {})
        await self._arrive("put_new", key)
        if key in self.objects:
            raise ObjectExists
        self._keep(key, data, content_type, metadata or {})
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable

    async def get(self, key: str) -> bytes:
        await self._arrive("get", key)
        return self._find(key)[0]

    async def head(self, key: str) -> ObjectFacts:
        await self._arrive("head", key)
        return self._find(key)[1]

    async def start_of(self, key: str, length: int) -> bytes:
        await self._arrive("start_of", key)
        return self._find(key)[0][:length]

    async def delete(self, key: str) -> None:
        await self._arrive("delete", key)
        self.objects.pop(key, None)

    async def upload(
        self, key: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        _check(metadata)
        await self._arrive("upload", key)
        self._keep(key, source.read(), content_type, metadata)

    async def download(self, key: str, target: Path) -> None:
        await self._arrive("download", key)
        target.write_bytes(self._find(key)[0])  # noqa: ASYNC240 - a small file

    async def pieces(self, key: str) -> AsyncIterator[bytes]:
        await self._arrive("pieces", key)
        data = self._find(key)[0]
        for start in range(0, len(data), 1 << 20):
            yield data[start : start + (1 << 20)]

    async def keys(self, prefix: str, after: str = "") -> AsyncIterator[str]:
        await self._arrive("keys", prefix)
        for key in self.written:
            if key.startswith(prefix) and key > after:
                yield key

    async def listed(self, prefix: str) -> AsyncIterator[ListedObject]:
        await self._arrive("listed", prefix)
        for key in self.written:
            if key.startswith(prefix):
                data = self.data(key)
                tag = hashlib.md5(data, usedforsecurity=False).hexdigest()
                yield ListedObject(key, len(data), self.modified[key], tag)

    def presign_get(self, key: str, seconds: int, filename: str | None = None) -> str:
        name = f"&filename={quote(filename)}" if filename else ""
        return f"memory://{quote(key)}?expires={seconds}{name}"

    async def begin_parts(self, key: str, *, content_type: str) -> str:
        await self._arrive("begin_parts", key)
        upload = f"upload-{len(self.types)}"
        self.parts[key, upload], self.types[upload] = [], content_type
        return upload

    async def put_part(self, key: str, upload: str, number: int, data: bytes) -> StoredPart:
        await self._arrive("put_part", key)
        self._coming(key, upload).append((number, bytes(data)))
        return _part(number, data)

    async def list_parts(self, key: str, upload: str) -> list[StoredPart]:
        await self._arrive("list_parts", key)
        return [_part(number, data) for number, data in sorted(self._coming(key, upload))]

    async def join_parts(self, key: str, upload: str, parts: Sequence[StoredPart]) -> None:
        await self._arrive("join_parts", key)
        coming = {_part(number, data): data for number, data in self._coming(key, upload)}
        if any(part not in coming for part in parts):
            raise StoreRefused
        if any(part.size < LEAST_PART for part in parts[:-1]):
            raise StoreRefused
        self._keep(key, b"".join(coming[part] for part in parts), self.types[upload], {})
        del self.parts[key, upload]

    async def drop_parts(self, key: str, upload: str) -> None:
        await self._arrive("drop_parts", key)
        self.parts.pop((key, upload), None)

    def _coming(self, key: str, upload: str) -> list[tuple[int, bytes]]:
        if (key, upload) not in self.parts:
            raise ObjectMissing
        return self.parts[key, upload]

    async def _arrive(self, method: str, key: str) -> None:
        self.calls.append((method, key))
        await asyncio.sleep(0)  # as a real one, it lets others go first
        if self.refuses:
            raise StoreRefused
        if self.away:
            self.away -= 1
            raise StoreUnavailable

    def _keep(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        self.objects[key] = bytes(data), ObjectFacts(len(data), content_type, dict(metadata))
        self.modified[key] = datetime.now(UTC)

    def _find(self, key: str) -> tuple[bytes, ObjectFacts]:
        if key not in self.objects:
            raise ObjectMissing
        return self.objects[key]


def _part(number: int, data: bytes) -> StoredPart:
    return StoredPart(number, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())


def _check(metadata: Mapping[str, str]) -> None:
    size = sum(len(name) + len(quote(value, safe=" /:;,.+=@()-_")) for name, value in metadata.items())
    if size > METADATA_BYTES:
        raise ValueError(f"metadata of {size} bytes; S3 allows {METADATA_BYTES}")
