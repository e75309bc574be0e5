"""Manifests that are looked for at planning: the newest of a prefix or of the uploads, or an address.

What is found is kept for the job before it is read: a later try at the plan, which must make the same items
of it, reads the same bytes, whatever its source says by then.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from imagemill.claims import claim
from imagemill.domain.errors import (
    InvalidInput,
    NotSent,
    ObjectMissing,
    Refused,
    StoreRefused,
    StoreUnavailable,
)
from imagemill.domain.ids import made_at
from imagemill.domain.manifests import FoundManifest, ManifestSource, PinnedManifest
from imagemill.domain.places import facts_prefix, file_key, manifest_copy_key, pinned_key
from imagemill.inputs.reference import NoReference, Reference, Rules
from imagemill.ports import ListedObject, ObjectStore
from imagemill.tenants import Tenants

LARGEST_MANIFEST = 5 * 1024**3
"""As the largest file that can be uploaded."""
MOST_LISTED = 100_000
"""Objects under a prefix, or files, among which the newest is looked for."""
WAITS = (1.0, 5.0)
"""Seconds before each further try at a source that can't be reached."""
FILES_AT_ONCE = 16
_REFUSALS = {
    "input_missing": "there is nothing to be had there",
    "input_too_large": f"it has more than {LARGEST_MANIFEST:,} bytes",
    "input_address_refused": "it leads to a private network, to another scheme or port, or redirects too "
    "often",
    "input_not_an_image": "its server sends it with a content-encoding; have it sent as it is, or as .gz",
}


class ManifestFetcher(Protocol):
    """Fetches addresses into files."""

    async def download(self, address: str, target: Path) -> Mapping[str, str]:
        """Write what lies there; answers the answer's head. Raises Refused (it never will), NotSent."""


class Sources:
    """Finds and fetches manifests."""

    def __init__(
        self,
        control: ObjectStore,
        fetcher: ManifestFetcher,
        buckets: Callable[[str], ObjectStore | None],
        rules: Rules,
        *,
        tenants: Tenants | None = None,
        waits: Sequence[float] = WAITS,
        most_bytes: int = LARGEST_MANIFEST,
    ) -> None:
        self._control = control
        self._fetcher = fetcher
        self._buckets = buckets
        self._rules = rules
        self._tenants = tenants or Tenants()
        self._waits = waits
        self._most = most_bytes

    async def pinned(self, tenant: str, job: str, source: ManifestSource, path: Path) -> FoundManifest:
        """Fetch a job's manifest into a file: the one that it was given before, if it ever was.

        Raises:
            InvalidInput: it can't be had.
            StoreError: control is away.
        """
        known = await self._pin(tenant, job)
        if known is None:
            pin = await self._keep(tenant, job, await self._fetch(tenant, source, path), path)
            if await claim(self._control, pinned_key(tenant, job), pin.model_dump_json().encode()):
                return _found(pin)
            known = await self._pin(tenant, job)
            assert known  # noqa: S101 - the claim has just met it
        try:
            await self._control.download(known.key, path)
        except ObjectMissing:
            raise _problem(f"{known.place} was deleted before it was read") from None
        return _found(known)

    async def fetch(self, tenant: str, source: ManifestSource, path: Path) -> FoundManifest:
        """Fetch what a source leads to now into a file.

        Raises:
            InvalidInput: it can't be had.
            StoreError: control is away.
        """
        return _found(await self._fetch(tenant, source, path))

    # --- once a job ---------------------------------------------------------------------------

    async def _pin(self, tenant: str, job: str) -> PinnedManifest | None:
        try:
            return PinnedManifest.model_validate_json(await self._control.get(pinned_key(tenant, job)))
        except ObjectMissing:
            return None

    async def _keep(self, tenant: str, job: str, found: PinnedManifest, path: Path) -> PinnedManifest:
        """Copy what does not lie in control already, as an uploaded file does."""
        if found.key:
            return found
        key = manifest_copy_key(tenant, job, found.sha256)
        with await asyncio.to_thread(path.open, "rb") as file:
            await self._control.upload(key, file, content_type="application/octet-stream", metadata={})
        return found.model_copy(update={"key": key})

    # --- where they come from -----------------------------------------------------------------

    async def _fetch(self, tenant: str, source: ManifestSource, path: Path) -> PinnedManifest:
        """What is found; its key is empty where it does not lie in control."""
        rules = self._tenants.rules(tenant, self._rules)
        try:
            if source.newest is not None:
                where = rules.read_prefix(source.newest)
                return await self._patiently(lambda: self._newest(where, path))
            if source.newest_file is not None:
                return await self._newest_file(tenant, source.newest_file, path)
            address = rules.read(source.url or "")
        except NoReference as error:
            raise _problem(f"its source {error.problem}") from None
        return await self._patiently(lambda: self._address(address.text, path))

    async def _patiently(self, look: Callable[[], Awaitable[PinnedManifest]]) -> PinnedManifest:
        """Try again what may be had in a moment, but not for long."""
        for wait in self._waits:
            try:
                return await look()
            except (NotSent, StoreUnavailable):
                await asyncio.sleep(wait)
        try:
            return await look()
        except (NotSent, StoreUnavailable):
            tries = len(self._waits) + 1
            raise _problem(f"its source could not be reached; it was tried {tries} times") from None

    async def _newest(self, where: Reference, path: Path) -> PinnedManifest:
        """The object that was changed last; of several at the same moment, the last by its key."""
        store = self._buckets(where.bucket)
        newest: ListedObject | None = None
        try:
            if store is None:
                raise StoreRefused
            listed = 0
            async for found in store.listed(where.key):
                listed += 1
                if listed > MOST_LISTED:
                    raise _problem(
                        f"{where.text} has more than {MOST_LISTED:,} objects; name a longer prefix"
                    )
                if not found.key.endswith("/"):  # a folder's marker is no file
                    newest = max(newest or found, found, key=lambda each: (each.modified_at, each.key))
            if newest is None:
                raise _problem(f"there is no object under {where.text}")
            place = f"s3://{where.bucket}/{newest.key}"
            if newest.size > self._most:
                raise _problem(f"{place}: {_REFUSALS['input_too_large']}")
            await store.download(newest.key, path)
        except ObjectMissing:
            raise _problem(f"{where.text}: {_REFUSALS['input_missing']}") from None
        except StoreRefused:
            raise _problem(f"{where.text} may not be read by this service") from None
        return await _described(path, place, modified_at=newest.modified_at, etag=newest.tag)

    async def _newest_file(self, tenant: str, begins: str, path: Path) -> PinnedManifest:
        """The file that was uploaded last, of those whose name begins so."""
        prefix = facts_prefix(tenant)
        keys = [key async for key in self._control.keys(prefix)][-MOST_LISTED:]
        for end in range(len(keys), 0, -FILES_AT_ONCE):  # ids sort by their time
            some = keys[max(0, end - FILES_AT_ONCE) : end]
            for facts in reversed(await asyncio.gather(*map(self._facts, some))):
                if facts and str(facts["filename"]).startswith(begins):
                    return await self._file(tenant, facts, path)
        raise _problem(f"no uploaded file has a name that begins with {begins!r}")

    async def _facts(self, key: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(await self._control.get(key))
        except ObjectMissing:  # deleted meanwhile
            return None
        return found

    async def _file(self, tenant: str, facts: dict[str, Any], path: Path) -> PinnedManifest:
        file_id, name = str(facts["id"]), str(facts["filename"])
        key = file_key(tenant, file_id)
        try:
            await self._control.download(key, path)
        except ObjectMissing:
            raise _problem(f"{file_id} ({name}) was deleted before it was read") from None
        uploaded = datetime.fromtimestamp(made_at(file_id), UTC)
        return await _described(path, f"{file_id} ({name})", modified_at=uploaded, key=key)

    async def _address(self, address: str, path: Path) -> PinnedManifest:
        place = shown_address(address)
        try:
            head = await self._fetcher.download(address, path)
        except Refused as refusal:
            raise _problem(f"{place}: {_REFUSALS.get(refusal.code, refusal.code)}") from None
        return await _described(
            path, place, modified_at=_time(head.get("last-modified")), etag=head.get("etag")
        )


def shown_address(address: str) -> str:
    """An address without what may grant access: neither its query nor a fragment."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


async def _described(
    path: Path, place: str, *, modified_at: datetime | None, etag: str | None = None, key: str = ""
) -> PinnedManifest:
    size, sha256 = await asyncio.to_thread(_size_and_hash, path)
    return PinnedManifest(place=place, bytes=size, sha256=sha256, modified_at=modified_at, etag=etag, key=key)


def _size_and_hash(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _time(said: str | None) -> datetime | None:
    """The time of an HTTP header; None where it is none."""
    try:
        found = parsedate_to_datetime(said or "")
    except (ValueError, OverflowError):  # a server may say anything; numbers beyond any clock overflow
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _found(pin: PinnedManifest) -> FoundManifest:
    return FoundManifest(**pin.model_dump(exclude={"key"}))


def _problem(what: str) -> InvalidInput:
    return InvalidInput([("manifest", what)])
