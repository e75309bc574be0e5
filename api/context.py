"""What the routes work with, and who is asking."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import Request

from api.coalescing import Coalescer
from api.models import InvalidRows
from api.problems import FORBIDDEN, UNAUTHORIZED, Problem
from api.snapshots import Snapshot
from api.watching import Watches
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.messages import Times
from imagemill.domain.pools import Pools
from imagemill.domain.tenant import Caps
from imagemill.inputs.reference import Rules
from imagemill.ports import Engine, ObjectStore
from imagemill.settings import WorkSettings


@dataclass(frozen=True, slots=True)
class Context:
    """The application's parts; made in ``api/app.py`` and kept as ``app.state.context``."""

    control: ObjectStore
    delivery: ObjectStore
    engine: Engine
    catalogue: Catalogue
    work: WorkSettings
    times: Times
    prefix: str
    tenant: str
    key_sha256: bytes
    pools: Pools = field(default_factory=Pools.single)
    """The provider accounts, without their keys."""
    rules: Rules = field(default_factory=Rules)
    """What references to input images may be."""
    caps: Caps = field(default_factory=Caps)
    """What a tenant may spend that no operator has set caps for."""
    allow_uncapped: bool = False
    admin_sha256: bytes | None = None
    """The key that may set caps; None: nobody may."""
    reads: Coalescer[tuple[str, str], Snapshot] = field(default_factory=Coalescer)
    """Reads of jobs, by tenant and id."""
    watches: Watches = field(default_factory=Watches)
    """Who waits for jobs to change."""
    bad_rows: dict[str, InvalidRows] = field(default_factory=dict)
    """The bad rows of the last jobs that were asked for."""

    @staticmethod
    def now() -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)


def context(request: Request) -> Context:
    """The application's parts, for a route."""
    found: Context = request.app.state.context
    return found


def tenant(request: Request) -> str:
    """Whose jobs the caller may see, by its API key.

    Raises:
        Problem: there is no key, or it is not ours.
    """
    parts = context(request)
    if not hmac.compare_digest(_sent_key(request), parts.key_sha256):
        raise _unauthorized("this API key is not known")
    return parts.tenant


def administrator(request: Request) -> None:
    """Is it an operator who asks?

    Raises:
        Problem: it is not.
    """
    admin = context(request).admin_sha256
    if admin is None:
        raise Problem(FORBIDDEN, "nobody may do this by HTTP: IMAGEMILL_ADMIN_KEY is not set")
    if not hmac.compare_digest(_sent_key(request), admin):
        raise Problem(FORBIDDEN, "this takes the operator's key, IMAGEMILL_ADMIN_KEY")


def _sent_key(request: Request) -> bytes:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise _unauthorized("send the API key as 'Authorization: Bearer im_…'")
    return hash_key(key.strip())


def hash_key(key: str) -> bytes:
    """The form in which a key is kept."""
    return hashlib.sha256(key.encode()).digest()


def _unauthorized(detail: str) -> Problem:
    return Problem(UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
