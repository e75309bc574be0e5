"""Who is logged in: a signed cookie that names a key, and is worth nothing without that key.

The cookie holds no secret of the key. It names the key's id, and a word that is made of the key's stored
digest: a key that is revoked, replaced or expired ends its sessions with the next request.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from api.context import Context
from api.keys import is_same
from imagemill.domain.access import Caller
from imagemill.domain.errors import ObjectExists, ObjectMissing
from imagemill.domain.places import SIGNS_SESSIONS
from imagemill.ports import ObjectStore

COOKIE = "imagemill_session"
LASTS = 12 * 3600
"""Seconds."""

MOST_ENDED = 100_000
"""So many logouts are remembered; of those that were longest ago it is forgotten first."""

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A login, which is as good as the key that it was made with.

    Attributes:
        id: of this login, by chance.
        caller: whom the key stands for; None: the operator.
        csrf: what forms of this login carry.
    """

    id: str
    caller: Caller | None
    csrf: str


class Seals:
    """What is signed with the secret of the service."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._sessions = URLSafeTimedSerializer(secret, salt="session")
        self._notes = URLSafeTimedSerializer(secret, salt="note")
        self._images = URLSafeSerializer(secret, salt="image")

    def open(self, parts: Context, key: str) -> str:
        """The cookie of a new session for a key.

        Raises:
            Problem: the key is not known, or has expired.
        """
        headers = {"authorization": f"Bearer {key}"}
        if parts.admin_sha256 is not None and is_same(key, parts.admin_sha256):
            key_id, digest = "", parts.admin_sha256
        else:
            key_id = parts.keys.authenticate(headers).key_id
            found = parts.keys.find(key_id)
            assert found  # noqa: S101 - it has just been authenticated
            digest = found.digest
        said = {"key": key_id, "is": self._bound(digest), "id": secrets.token_urlsafe(12)}
        return str(self._sessions.dumps(said))

    def read(self, parts: Context, cookie: str | None) -> Session | None:
        """The session of a cookie; None: there is none, it is not ours, or its key opens nothing any more."""
        said = _loaded(self._sessions, cookie, LASTS)
        if not isinstance(said, dict):
            return None
        if said["key"] == "":
            caller, digest = None, parts.admin_sha256
        else:
            found = parts.keys.find(said["key"])
            if found is None or found.has_expired(datetime.now(UTC)):
                return None
            caller, digest = found.caller, found.digest
        if digest is None or not hmac.compare_digest(self._bound(digest), said["is"]):
            return None
        if said["id"] in self._ended:
            return None
        return Session(said["id"], caller, self._word("csrf", said["id"].encode()))

    def end(self, session: Session) -> None:
        """Log out: whoever has kept the cookie has nothing.

        Each process knows of those that were ended by it; with another one, the cookie is good for its 12
        hours, unless its key ends.
        """
        self._ended[session.id] = None
        while len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)

    def note(self, said: object) -> str:
        """Something short for the next page, that only this service can have written."""
        return str(self._notes.dumps(said))

    def noted(self, cookie: str | None) -> object:
        """What was noted, in the last minute; None: nothing."""
        return _loaded(self._notes, cookie, 60)

    def image(self, tenant: str, job: str, key: str, form: str) -> str:
        """Says that an image of this job lies there; the same each time, so that browsers keep the image."""
        return str(self._images.dumps([tenant, job, key, form]))

    def image_of(self, tenant: str, job: str, said: str) -> tuple[str, str] | None:
        """The key and the format of an image of this job; None: nobody here has said that."""
        try:
            whose, which, key, form = self._images.loads(said)
        except (BadData, TypeError, ValueError):
            return None
        return (key, form) if (whose, which) == (tenant, job) else None

    def _bound(self, digest: bytes) -> str:
        return self._word("key", digest)

    def _word(self, use: str, data: bytes) -> str:
        return hmac.new(self._secret, use.encode() + b"\0" + data, hashlib.sha256).hexdigest()[:43]


def _loaded(serializer: URLSafeTimedSerializer, text: str | None, seconds: int) -> Any:
    if not text:
        return None
    try:
        return serializer.loads(text, max_age=seconds)
    except BadData:
        return None


class Sealing:
    """Has the secret of the service, once it has been read from the store, or made."""

    def __init__(self) -> None:
        self._seals: Seals | None = None
        self._one = asyncio.Lock()

    async def seals(self, store: ObjectStore) -> Seals:
        """What is signed with it.

        Raises:
            StoreError: it was not read yet, and the store is away.
        """
        if self._seals is None:
            async with self._one:
                self._seals = self._seals or Seals(await _secret(store))
        return self._seals


async def _secret(store: ObjectStore) -> bytes:
    """The same for all processes: of several that make one at once, one's counts."""
    with suppress(ObjectMissing):
        return await store.get(SIGNS_SESSIONS)
    made = secrets.token_urlsafe(_SECRET_BYTES).encode()
    try:
        await store.put_new(SIGNS_SESSIONS, made, content_type="text/plain")
    except ObjectExists:
        return await store.get(SIGNS_SESSIONS)
    return made
