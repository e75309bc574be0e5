"""What the routes work with, and who is asking."""

import hashlib
import hmac
from dataclasses import dataclass

from fastapi import Request

from api.problems import UNAUTHORIZED, Problem
from imagemill.domain.messages import Times
from imagemill.domain.pricing import Catalogue
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
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise _unauthorized("send the API key as 'Authorization: Bearer im_…'")
    if not hmac.compare_digest(hash_key(key.strip()), parts.key_sha256):
        raise _unauthorized("this API key is not known")
    return parts.tenant


def hash_key(key: str) -> bytes:
    """The form in which a key is kept."""
    return hashlib.sha256(key.encode()).digest()


def _unauthorized(detail: str) -> Problem:
    return Problem(UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
