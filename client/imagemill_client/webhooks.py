"""Verify the events that the service sends, by Standard Webhooks.

    event = verify(body, headers, secret)

Give it the bytes as they came, before anything parses them.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError

from imagemill_client.errors import InvalidSignature, NotConfigured
from imagemill_client.models import Event

PREFIX = "whsec_"
TOLERANCE = 300.0
"""Seconds that a receiver's clock and the sender's may be apart; what is older may be a replay."""


def verify(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    tolerance: float = TOLERANCE,
    clock: Callable[[], float] = time.time,
) -> Event:
    """The event, if one of the secrets has signed it.

    Args:
        body: as it came.
        headers: those of the request, in any case.
        secret: ``whsec_…``; several while one replaces another.
        tolerance: seconds that the event may be old, or early.
        clock: for tests.

    Raises:
        InvalidSignature: it is not signed by the service, or it is too old. Answer 400.
        NotConfigured: a secret is no secret.
    """
    data = body.encode() if isinstance(body, str) else body
    keys = [_key(each) for each in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        raise NotConfigured("No secret was given; GET /v1/webhooks/secret tells it.")
    said = {name.lower(): value for name, value in headers.items()}
    try:
        event, sent, signatures = (said[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise InvalidSignature(f"The header {missing.args[0]} is missing.") from None
    _check_time(sent, tolerance, clock())
    if not _signed(event, sent, data, keys, signatures):
        raise InvalidSignature("No secret that is known has signed this.")
    return _event(event, data)


def sign(secret: str, event: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature`` of an event, as the service makes it.

    Raises:
        NotConfigured: the secret is no secret.
    """
    return f"v1,{_signature(_key(secret), event, str(timestamp), body)}"


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise NotConfigured("A webhook secret is whsec_ and bytes in base64; this is none.")
    return key


def _check_time(sent: str, tolerance: float, now: float) -> None:
    if not (sent.isascii() and sent.isdigit() and len(sent) < 16):
        raise InvalidSignature("The header webhook-timestamp is no time.")
    if abs(now - int(sent)) > tolerance:
        raise InvalidSignature("The event was sent too long ago, or a clock is wrong.")


def _signed(event: str, sent: str, body: bytes, keys: Sequence[bytes], signatures: str) -> bool:
    claimed = [each.removeprefix("v1,").encode() for each in signatures.split() if each.startswith("v1,")]
    made = [_signature(key, event, sent, body).encode() for key in keys]
    # All are compared, so that the time does not tell which fits.
    return sum(hmac.compare_digest(one, other) for one in made for other in claimed) > 0


def _signature(key: bytes, event: str, sent: str, body: bytes) -> str:
    digest = hmac.new(key, f"{event}.{sent}.".encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _event(event: str, body: bytes) -> Event:
    try:
        return Event.model_validate({**json.loads(body), "id": event})
    except (ValueError, TypeError, ValidationError):
        raise InvalidSignature("It is signed, but it is no event of Imagemill.") from None
