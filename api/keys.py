"""Whose key is it? Looked up by its id, and compared in a time that tells nothing of the secret."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from api.problems import FORBIDDEN, TENANT_REMOVED, UNAUTHORIZED, Problem
from imagemill.domain.access import ALL_PURPOSE, Caller, KnownKey, Scope
from imagemill.tenants import Tenants

NOBODY = bytes(32)
"""Compared with where there is no key of an id, so that both take the same time. No key has this digest."""

UNKNOWN = "this API key is not known"


class Keyring:
    """The keys of the file of tenants, and the one of the settings.

    Where both have a key of the same id, the file's alone counts.
    """

    def __init__(self, tenants: Tenants, key: str | None = None, tenant: str = "default") -> None:
        """``key`` is the one of the settings, which may do all for ``tenant``."""
        self._tenants = tenants
        self._own = KnownKey(hash_key(key), Caller(tenant, id_of(key), ALL_PURPOSE)) if key else None

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Who sent these headers, whose names are in small letters.

        Raises:
            Problem: there is no key among them, or none that is known and has not expired.
        """
        key = bearer(headers)
        known = self.find(id_of(key))
        if not is_same(key, known.digest if known else NOBODY) or known is None:
            raise _unauthorized(UNKNOWN)
        if known.expires and known.has_expired(datetime.now(UTC)):
            raise _unauthorized(f"this API key has expired, on {known.expires:%Y-%m-%d at %H:%M:%S} UTC")
        return known.caller

    def find(self, key_id: str) -> KnownKey | None:
        """The key of that id, whose secret nobody has shown yet; it may have expired."""
        found = self._tenants.key(key_id)
        if found or not self._own or self._own.caller.key_id != key_id:
            return found
        terms = self._tenants.terms(self._own.caller.tenant)
        caller = replace(self._own.caller, requests_per_minute=terms.requests_per_minute)
        return replace(self._own, caller=caller.at_most_reading() if terms.removed else caller)


def bearer(headers: Mapping[str, str]) -> str:
    """The key that was sent.

    Raises:
        Problem: there is none.
    """
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise _unauthorized("send the API key as 'Authorization: Bearer im_…'")
    return key.strip()


def id_of(key: str) -> str:
    """The id in ``im_<id>_<secret>``; empty where it is not of that form."""
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    return key_id if prefix == "im" and secret else ""


def hash_key(key: str) -> bytes:
    """The form in which a key is kept."""
    return hashlib.sha256(key.encode()).digest()


def is_same(key: str, digest: bytes) -> bool:
    """Is it the key of this digest? How long that takes does not say how alike they are."""
    return hmac.compare_digest(hash_key(key), digest)


def lacks(scope: Scope, caller: Caller) -> Problem:
    """The answer to a key that may not do this."""
    if caller.removed:
        return Problem(TENANT_REMOVED, f"tenant {caller.tenant} was removed; its keys may only read")
    has = ", ".join(sorted(caller.scopes))
    return Problem(FORBIDDEN, f"this takes a key with the scope {scope!r}; this key has: {has}")


def _unauthorized(detail: str) -> Problem:
    return Problem(UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
