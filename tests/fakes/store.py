"""An object store in memory, which can be told to be away or to lose an answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from imagemill.domain.errors import ObjectExists, ObjectMissing, StoreUnavailable
from imagemill.ports import ObjectFacts

METADATA_BYTES = 2048


class MemoryStore:
    """Implements ``imagemill.ports.ObjectStore``.

    Attributes:
        calls: every call that came in, as (method, key), those that failed included.
        away: so many of the next calls raise StoreUnavailable and do nothing.
        lost_answers: so many of the next ``put_new`` do their work and raise StoreUnavailable all the same.
    """

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, ObjectFacts]] = {}
        self.calls: list[tuple[str, str]] = []
        self.away = 0
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

    async def keys(self, prefix: str, after: str = "") -> AsyncIterator[str]:
        await self._arrive("keys", prefix)
        for key in self.written:
            if key.startswith(prefix) and key > after:
                yield key

    def presign_get(self, key: str, seconds: int) -> str:
        return f"memory://{quote(key)}?expires={seconds}"

    async def _arrive(self, method: str, key: str) -> None:
        self.calls.append((method, key))
        await asyncio.sleep(0)  # as a real one, it lets others go first
        if self.away:
            self.away -= 1
            raise StoreUnavailable

    def _keep(self, key: str, data: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        self.objects[key] = bytes(data), ObjectFacts(len(data), content_type, dict(metadata))

    def _find(self, key: str) -> tuple[bytes, ObjectFacts]:
        if key not in self.objects:
            raise ObjectMissing
        return self.objects[key]


def _check(metadata: Mapping[str, str]) -> None:
    size = sum(len(name) + len(quote(value, safe=" /:;,.+=@()-_")) for name, value in metadata.items())
    if size > METADATA_BYTES:
        raise ValueError(f"metadata of {size} bytes; S3 allows {METADATA_BYTES}")
