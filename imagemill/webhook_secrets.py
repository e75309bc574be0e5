"""The secrets that a tenant's events are signed with, the oldest of them until it runs out.

Each rotation is an object of its own, put under the next number if nobody else has: of two at once one comes
first, and the other is done upon it, so that nobody is told a secret that does not sign.
"""

import base64
import binascii
import secrets
from datetime import datetime, timedelta

from pydantic import BaseModel, Field

from imagemill.claims import claim
from imagemill.domain.errors import ImagemillError, ObjectMissing
from imagemill.domain.places import webhook_secrets_prefix
from imagemill.ports import ObjectStore

PREFIX = "whsec_"
FEWEST_BYTES, MOST_BYTES = 24, 64
MOST_AT_ONCE = 5
"""So many sign at once, each with a signature in every event's headers."""


class TooManySecrets(ImagemillError):
    """Too many secrets sign already."""


class SigningSecret(BaseModel):
    """A secret, and until when it signs; None: until it is followed by another."""

    secret: str = Field(repr=False)
    made_at: datetime
    expires_at: datetime | None = None


class SecretRing(BaseModel):
    """The secrets of a tenant, the current one first."""

    number: int
    secrets: list[SigningSecret]

    @property
    def current(self) -> SigningSecret:
        """The one that does not run out."""
        return self.secrets[0]

    def signing(self, now: datetime) -> list[SigningSecret]:
        """Those that sign, the current one first."""
        return [each for each in self.secrets if each.expires_at is None or each.expires_at > now]

    def turned(self, secret: str, keep: timedelta, now: datetime) -> "SecretRing":
        """The ring with a new current secret; what signs now goes on for so long at most.

        Raises:
            TooManySecrets: they would be more than ``MOST_AT_ONCE``.
        """
        until = now + keep
        older = [
            each.model_copy(update={"expires_at": min(each.expires_at or until, until)})
            for each in self.signing(now)
            if each.secret != secret
        ]
        ring = SecretRing(number=self.number + 1, secrets=[_made(secret, now), *older])
        if len(ring.signing(now)) > MOST_AT_ONCE:
            raise TooManySecrets
        return ring


def new_secret() -> str:
    """A secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_problem(secret: str) -> str | None:
    """What is wrong with a text as a secret, or None."""
    try:
        size = len(base64.b64decode(secret.removeprefix(PREFIX), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if secret.startswith(PREFIX) and FEWEST_BYTES <= size <= MOST_BYTES:
        return None
    return f"is no secret; give {PREFIX} and {FEWEST_BYTES} to {MOST_BYTES} bytes in base64"


async def ring_of(control: ObjectStore, tenant: str, now: datetime) -> SecretRing:
    """The secrets of a tenant, made if it has none; whoever is first makes them for all."""
    while True:
        found = await _latest(control, tenant)
        if found:
            return found
        await _put(control, tenant, SecretRing(number=1, secrets=[_made(new_secret(), now)]))


async def rotate(
    control: ObjectStore, tenant: str, secret: str | None, keep: timedelta, now: datetime
) -> SecretRing:
    """Make another secret the current one; those before it sign for so long yet, and no longer.

    Raises:
        TooManySecrets: too many sign already.
    """
    wanted = secret or new_secret()
    while True:
        ring = (await ring_of(control, tenant, now)).turned(wanted, keep, now)
        if await _put(control, tenant, ring):
            return ring


async def _latest(control: ObjectStore, tenant: str) -> SecretRing | None:
    names = [key async for key in control.keys(webhook_secrets_prefix(tenant))]
    if not names:
        return None
    try:
        return SecretRing.model_validate_json(await control.get(names[-1]))
    except ObjectMissing:
        return None


async def _put(control: ObjectStore, tenant: str, ring: SecretRing) -> bool:
    key = f"{webhook_secrets_prefix(tenant)}{ring.number:08d}.json"
    return await claim(control, key, ring.model_dump_json().encode())


def _made(secret: str, now: datetime) -> SigningSecret:
    return SigningSecret(secret=secret, made_at=now)
