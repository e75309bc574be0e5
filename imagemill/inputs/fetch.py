"""Images and manifests from addresses of strangers: resolved once, checked, pinned, and read up to a limit.

Every connection goes where the policy allows, and to the very address that was checked: a redirect is a new
address, and a name that changes its answer in between changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, TypeVar

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

BEGIN_SECONDS = 30.0
"""Time for the lookup and all redirects of what may take long to come."""

IMAGES = "image/png,image/jpeg,image/webp"
Resolver = Callable[..., Any]
T = TypeVar("T")


class GuardedFetcher:
    """Fetches addresses, as the rules allow; no address and no byte of an answer gets into a message.

    What has ``most_bytes`` or more is refused.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        seconds: float,
        most_bytes: int,
        accept: str = IMAGES,
        resolver: Resolver | None = None,
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
            headers={"accept": accept, "accept-encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def fetch(self, address: str) -> bytes:
        """What lies at an address.

        Raises:
            Refused: it is not to be had, or not to be fetched.
            NotSent: it may be had later.
        """
        data = bytearray()
        await self._timed(self._get(address, data.extend))
        return bytes(data)

    async def download(self, address: str, target: Path) -> Mapping[str, str]:
        """Write what lies at an address to a file. Answers the head of the answer, names in lower case.

        Raises: as `fetch`.
        """
        with await asyncio.to_thread(target.open, "wb") as file:
            begun = asyncio.Event()

            def write(piece: bytes) -> None:
                begun.set()
                file.write(piece)

            return await self._timed(self._get(address, write), begun)

    async def _timed(self, work: Coroutine[Any, Any, T], begun: asyncio.Event | None = None) -> T:
        async with self._slots:
            getting = asyncio.create_task(work)
            # A lookup can't be interrupted; its task is left behind rather than waited for.
            try:
                await asyncio.wait({getting}, timeout=min(self._seconds, BEGIN_SECONDS))
                if begun is None or begun.is_set():
                    await asyncio.wait({getting}, timeout=max(0.0, self._seconds - BEGIN_SECONDS))
            finally:
                getting.add_done_callback(_forget)
                in_time = getting.done() or not getting.cancel()
            if not in_time:
                raise NotSent("input_unreachable")
            return getting.result()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _get(self, address: str, sink: Callable[[bytes], object]) -> Mapping[str, str]:
        try:
            async with self._client.stream("GET", address) as answer:
                _check_status(answer.status_code)
                await self._read(answer, sink)
                return {name.lower(): value for name, value in answer.headers.items()}
        except (SSRFGuardError, httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise Refused("input_address_refused") from None
        except (httpx.HTTPError, OSError):
            raise NotSent("input_unreachable") from None

    async def _read(self, answer: httpx.Response, sink: Callable[[bytes], object]) -> None:
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused("input_not_an_image")
        said = answer.headers.get("content-length", "")
        if said.isdecimal() and int(said) >= self._most:
            raise Refused("input_too_large")
        read = 0
        async for piece in answer.aiter_raw():
            read += len(piece)
            if read >= self._most:
                raise Refused("input_too_large")
            sink(piece)


def _check_status(status: int) -> None:
    if status >= 500 or status in _LATER:
        raise NotSent("input_unreachable")
    if status != 200:
        raise Refused("input_missing")


def _forget(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()
