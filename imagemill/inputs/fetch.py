"""Images from addresses of strangers: resolved once, checked, pinned, and read up to a limit.

Every connection goes where the policy allows, and to the very address that was checked: a redirect is a new
address, and a name that changes its answer in between changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
from ssrfguard import SSRFGuardError
from ssrfguard.httpx import AsyncClient

from imagemill.domain.errors import NotSent, Refused
from imagemill.inputs.reference import Rules

AT_ONCE = 16
STEP_SECONDS = 20.0
"""Silence that is taken for the end, within the deadline of the whole."""

_LATER = {408, 425, 429}
"""With every 5xx: what an address answers that may have the image a moment later."""

Resolver = Callable[..., Any]


class GuardedFetcher:
    """Fetches addresses, as the rules allow; no address and no byte of an answer gets into a message."""

    def __init__(
        self, rules: Rules, *, seconds: float, most_bytes: int, resolver: Resolver | None = None
    ) -> None:
        for chatty in ("httpx", "httpcore"):  # their lines hold addresses, which may be presigned
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self._seconds = seconds
        self._most = most_bytes
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._client = AsyncClient(
            policy=rules.policy,
            resolver=resolver,
            trust_env=False,
            follow_redirects=True,
            timeout=min(seconds, STEP_SECONDS),
            limits=httpx.Limits(max_connections=4 * AT_ONCE, keepalive_expiry=10),
            # What is sent compressed could grow beyond any limit while it is unpacked.
            headers={"accept": "image/png,image/jpeg,image/webp", "accept-encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def fetch(self, address: str) -> bytes:
        """What lies at an address.

        Raises:
            Refused: it is not to be had, or not to be fetched.
            NotSent: it may be had later.
        """
        async with self._slots:
            getting = asyncio.create_task(self._get(address))
            # A lookup can't be interrupted; its task is left behind rather than waited for.
            try:
                await asyncio.wait({getting}, timeout=self._seconds)
            finally:
                getting.add_done_callback(_forget)
                in_time = getting.done() or not getting.cancel()
            if not in_time:
                raise NotSent("input_unreachable")
            return getting.result()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _get(self, address: str) -> bytes:
        try:
            async with self._client.stream("GET", address) as answer:
                _check_status(answer.status_code)
                return await self._read(answer)
        except (SSRFGuardError, httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise Refused("input_address_refused") from None
        except (httpx.HTTPError, OSError):
            raise NotSent("input_unreachable") from None

    async def _read(self, answer: httpx.Response) -> bytes:
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused("input_not_an_image")
        said = answer.headers.get("content-length", "")
        if said.isdecimal() and int(said) >= self._most:
            raise Refused("input_too_large")
        data = bytearray()
        async for piece in answer.aiter_raw():
            data += piece
            if len(data) >= self._most:
                raise Refused("input_too_large")
        return bytes(data)


def _check_status(status: int) -> None:
    if status >= 500 or status in _LATER:
        raise NotSent("input_unreachable")
    if status != 200:
        raise Refused("input_missing")


def _forget(task: "asyncio.Task[bytes]") -> None:
    if not task.cancelled():
        task.exception()
