"""The object store on any S3-compatible server, by boto3 in threads."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import quote, unquote
from weakref import WeakSet

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from imagemill.domain.errors import (
    ObjectExists,
    ObjectMissing,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)
from imagemill.ports import ListedObject, ObjectFacts, StoredPart
from imagemill.settings import BucketSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

log = structlog.get_logger()

KEYS_SECONDS = 5.0
"""The least time between two looks for other keys."""

METADATA_BYTES = 2048
PIECE_BYTES = 1 << 20
_MISSING = {"NoSuchKey", "NoSuchUpload", "404", "NotFound"}
_EXISTS = {"PreconditionFailed", "412"}
_LATER = {
    "SlowDown",
    "ServiceUnavailable",
    "InternalError",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "Throttling",
}


class Chain:
    """Where clients without keys of their own get them: boto3's chain, which is the whole process's.

    It reads files once, when a client is made. So once a request was refused all such clients are made anew:
    keys that were put there meanwhile are taken without a restart, which paid images would not outlive.
    Also those that only sign addresses, and are never refused.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_at = clock()
        self._turn = threading.Lock()
        self._lines: WeakSet[Line] = WeakSet()

    def add(self, line: "Line") -> None:
        """One more that takes keys from here."""
        self._lines.add(line)

    def look_again(self) -> None:
        """Somebody was refused. Who looked for other keys a moment ago looks no more."""
        with self._turn:
            if self._clock() - self._looked_at < KEYS_SECONDS:
                return
            self._looked_at = self._clock()
            for line in list(self._lines):
                line.renew()


CHAIN = Chain()


class Line:
    """The client of a server, by the keys of the settings or those of the chain."""

    def __init__(self, settings: BucketSettings, connections: int) -> None:
        self._settings = settings
        self._connections = connections
        self.client = self._make()
        self.has_own_keys = bool(settings.access_key)
        if not self.has_own_keys:
            CHAIN.add(self)

    def renew(self) -> None:
        """A client with the keys that there are now; without any, the one before is kept."""
        try:
            self.client = self._make()
        except BotoCoreError as error:
            log.warning("no keys for the object store are found", error=type(error).__name__)

    def _make(self) -> "S3Client":
        settings = self._settings
        return boto3.Session().client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            aws_access_key_id=settings.access_key.get_secret_value() if settings.access_key else None,
            aws_secret_access_key=settings.secret_key.get_secret_value() if settings.secret_key else None,
            config=Config(
                signature_version="s3v4",
                max_pool_connections=self._connections,
                connect_timeout=5,
                read_timeout=settings.silence_seconds,
                retries={"mode": "standard", "max_attempts": 3},
            ),
        )


class S3Store:
    """One bucket."""

    def __init__(self, line: "Line", bucket: str, threads: ThreadPoolExecutor) -> None:
        self._line = line
        self._threads = threads
        self.bucket = bucket

    @property
    def _client(self) -> "S3Client":
        return self._line.client

    @classmethod
    def connect(
        cls, settings: BucketSettings, threads: ThreadPoolExecutor, connections: int = 64
    ) -> "S3Store":
        """Make the client; nothing is sent yet."""
        return cls(Line(settings, connections), settings.bucket, threads)

    def beside(self, bucket: str) -> "S3Store":
        """Another bucket of the same server, by the same keys."""
        return S3Store(self._line, bucket, self._threads)

    async def put(self, key: str, data: bytes, *, content_type: str = "application/json") -> None:
        """Store the object, over an older one of that key."""
        await self._run(
            lambda: self._client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)
        )

    async def put_new(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/json",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Store the object if there is none under that key (``If-None-Match: *``)."""
        encoded = encode_metadata(metadata or {})
        await self._run(
            lambda: self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=data,
                ContentType=content_type,
                Metadata=encoded,
                IfNoneMatch="*",
            )
        )

    async def get(self, key: str) -> bytes:
        """The whole object."""
        return await self._run(partial(self._read, Key=key))

    async def head(self, key: str) -> ObjectFacts:
        """What is known of an object."""
        answer = await self._run(lambda: self._client.head_object(Bucket=self.bucket, Key=key))
        return ObjectFacts(
            size=answer["ContentLength"],
            content_type=answer.get("ContentType", ""),
            metadata={name: unquote(value) for name, value in answer["Metadata"].items()},
        )

    async def start_of(self, key: str, length: int) -> bytes:
        """The first bytes of an object."""
        span = f"bytes=0-{length - 1}"
        try:
            return await self._run(partial(self._read, Key=key, Range=span))
        except _NoSuchRange:
            return b""  # of an empty object there is no first byte

    async def delete(self, key: str) -> None:
        """Remove the object, if it is there."""
        await self._run(lambda: self._client.delete_object(Bucket=self.bucket, Key=key))

    async def upload(
        self, key: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        """Store an open file of any size, in parts."""
        extra = {"ContentType": content_type, "Metadata": encode_metadata(metadata)}
        upload = partial(self._client.upload_fileobj, source, self.bucket, key, ExtraArgs=extra)
        await self._run(upload, repeatable=False)  # some of the file may have been read

    async def download(self, key: str, target: Path) -> None:
        """Fetch an object of any size into a file."""
        await self._run(lambda: self._client.download_file(self.bucket, key, str(target)))

    async def pieces(self, key: str) -> AsyncIterator[bytes]:
        """An object of any size, a piece of at most a megabyte at a time."""
        answer = await self._run(lambda: self._client.get_object(Bucket=self.bucket, Key=key))
        body = answer["Body"]
        try:
            while piece := await self._run(lambda: body.read(PIECE_BYTES)):
                yield piece
        finally:
            body.close()

    async def keys(self, prefix: str, after: str = "") -> AsyncIterator[str]:
        """The keys under a prefix, in order; only those that follow ``after``, a whole key."""
        async for entry in self._entries(prefix, {"StartAfter": after} if after else {}):
            yield entry["Key"]

    async def listed(self, prefix: str) -> AsyncIterator[ListedObject]:
        """The objects under a prefix, in the order of their keys."""
        async for entry in self._entries(prefix, {}):
            yield ListedObject(entry["Key"], entry["Size"], entry["LastModified"], entry["ETag"].strip('"'))

    async def _entries(self, prefix: str, where: dict[str, Any]) -> AsyncIterator[Any]:
        while True:
            page = await self._run(partial(self._list, prefix, where))
            for entry in page.get("Contents", []):
                yield entry
            if not page.get("IsTruncated"):
                return
            where = {"ContinuationToken": page["NextContinuationToken"]}

    def presign_get(self, key: str, seconds: int, filename: str | None = None) -> str:
        """An address that gives the object to whoever has it, for so long."""
        parameters = {"Bucket": self.bucket, "Key": key}
        if filename is not None:
            parameters["ResponseContentDisposition"] = (
                f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
            )
        return self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)

    async def begin_parts(self, key: str, *, content_type: str) -> str:
        """Begin an object that comes in parts (a multipart upload)."""
        begun = await self._run(
            lambda: self._client.create_multipart_upload(
                Bucket=self.bucket, Key=key, ContentType=content_type
            )
        )
        return begun["UploadId"]

    async def put_part(self, key: str, upload: str, number: int, data: bytes) -> StoredPart:
        """Store a part, over an older one of that number."""
        answer = await self._run(
            lambda: self._client.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=data
            )
        )
        return StoredPart(number, len(data), answer["ETag"])

    async def list_parts(self, key: str, upload: str) -> list[StoredPart]:
        """The parts that are there, by number."""
        ask = partial(self._client.list_parts, Bucket=self.bucket, Key=key, UploadId=upload)
        found: list[StoredPart] = []
        page = await self._run(ask)
        while True:
            found += [
                StoredPart(part["PartNumber"], part["Size"], part["ETag"]) for part in page.get("Parts", [])
            ]
            if not page.get("IsTruncated"):
                return found
            page = await self._run(partial(ask, PartNumberMarker=page["NextPartNumberMarker"]))

    async def join_parts(self, key: str, upload: str, parts: Sequence[StoredPart]) -> None:
        """Make these parts the object."""
        await self._run(
            lambda: self._client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=key,
                UploadId=upload,
                MultipartUpload={"Parts": [{"PartNumber": part.number, "ETag": part.tag} for part in parts]},
            )
        )

    async def drop_parts(self, key: str, upload: str) -> None:
        """Remove parts that were not joined, if there are any."""
        with suppress(ObjectMissing):
            await self._run(
                lambda: self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
            )

    def _list(self, prefix: str, where: dict[str, Any]) -> Any:
        return self._client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **where)

    def _read(self, **which: str) -> bytes:
        return self._client.get_object(Bucket=self.bucket, **which)["Body"].read()  # type: ignore[arg-type]

    async def _run(self, call: Callable[[], T], *, repeatable: bool = True) -> T:
        """Call it in a thread; once more where it was refused, and there are other keys by now."""
        client = self._client
        try:
            return await self._call(call)
        except StoreRefused:
            if self._line.has_own_keys:
                raise
            await asyncio.get_running_loop().run_in_executor(self._threads, CHAIN.look_again)
            if client is self._client or not repeatable:
                raise
        return await self._call(call)

    async def _call(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except (ClientError, BotoCoreError, OSError) as error:
            raise translate(error) from None


class _NoSuchRange(StoreRefused):
    """The object is shorter than where the range begins."""


def translate(error: Exception) -> StoreError:
    """The vendor's error as ours; its own text may hold addresses that grant access, and stays behind."""
    kind = type(error).__name__
    if isinstance(error, ClientError):
        return _by_answer(error)
    if isinstance(error, HTTPClientError | NoConnectionError | OSError):
        return StoreUnavailable(f"the object store can't be reached ({kind})")
    return StoreRefused(f"the object store's client refused the request ({kind})")


def _by_answer(error: ClientError) -> StoreError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"the object store answered {status} {code}"
    if status == 416:
        return _NoSuchRange(said)
    if code in _MISSING:
        return ObjectMissing()
    if code in _EXISTS or status == 412:
        return ObjectExists()
    # 409: another conditional put of that key is under way; asked again, the store knows who won.
    if status >= 500 or status in (409, 429) or code in _LATER:
        return StoreUnavailable(said)
    return StoreRefused(said)


def encode_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata as percent-encoded ASCII, which every server keeps as it is.

    Raises:
        ValueError: it would pass the 2 KB that S3 allows.
    """
    encoded = {name: quote(value, safe=" /:;,.+=@()-_") for name, value in metadata.items()}
    size = sum(len(name) + len(value) for name, value in encoded.items())
    if size > METADATA_BYTES:
        raise ValueError(f"metadata of {size} bytes; S3 allows {METADATA_BYTES}")
    return encoded
