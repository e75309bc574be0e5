"""Images that a provider answers as addresses, which last an hour or so."""

import asyncio
from collections.abc import Sequence

import httpx2

MOST_BYTES = 64 * 1024 * 1024
"""An image of the most pixels that there are takes half of that without any compression."""
WAITS = (0.5, 2.0, 8.0)
"""Seconds before each further try."""


async def fetch(http: httpx2.AsyncClient, url: str, waits: Sequence[float] = WAITS) -> bytes | None:
    """What an address holds; None where that can't be had, or is no image's size.

    The address must come from the answer of a provider that the operator has chosen, never from a
    submission: it is asked for from inside our network. No key goes along. Asking buys nothing, so that
    redirects are followed and failures tried again; the caller bounds the time.
    """
    if not url.lower().startswith(("https://", "http://")):
        return None
    for wait in (*waits, None):
        try:
            return await _fetch_once(http, url)
        except Exception:  # noqa: BLE001 - whatever an address leads to, the other images are paid for
            if wait is None:
                break
            await asyncio.sleep(wait)
    return None


async def _fetch_once(http: httpx2.AsyncClient, url: str) -> bytes | None:
    async with http.stream("GET", url, follow_redirects=True) as answer:
        answer.raise_for_status()
        data = bytearray()
        async for part in answer.aiter_bytes():
            data += part
            if len(data) > MOST_BYTES:
                return None
    return bytes(data) or None
