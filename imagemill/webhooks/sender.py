"""Signed events to addresses of strangers, by Standard Webhooks.

Each attempt resolves the name anew, checks every address, and connects to the very one that was checked.
Redirects are not followed. The whole attempt has a deadline, since a read timeout bounds nothing if the
receiver drips.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
from ssrfguard import Policy, SSRFGuardError
from ssrfguard.httpx import AsyncClient
from standardwebhooks import Webhook

from imagemill.ports import Letter, Receipt

READ_BYTES = 1024
"""So much of an answer is read: nothing in it matters, but a receiver may want to finish."""

Resolver = Callable[..., Any]


class GuardedSender:
    """Implements ``imagemill.ports.WebhookSender``; no address and no byte of an answer leaves it."""

    def __init__(
        self, policy: Policy, *, seconds: float, at_once: int, resolver: Resolver | None = None
    ) -> None:
        for chatty in ("httpx", "httpcore"):  # their lines hold addresses, which may grant access
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self._seconds = seconds
        self._client = AsyncClient(
            policy=policy,
            resolver=resolver,
            trust_env=False,
            follow_redirects=False,
            timeout=seconds,
            # A connection that is kept would be used without another look at where the name leads.
            limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=0),
            headers={
                "content-type": "application/json",
                "user-agent": "imagemill-webhooks/1",
                "accept-encoding": "identity",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def send(self, url: str, letter: Letter) -> Receipt:
        """Send an event, once. A lookup can't be interrupted; its task is left behind, not waited for."""
        seen: list[Receipt] = []
        posting = asyncio.create_task(self._post(url, letter, seen))
        try:
            await asyncio.wait({posting}, timeout=self._seconds)
        finally:
            posting.add_done_callback(_forget)
            in_time = posting.done() or not posting.cancel()
        if seen:
            return seen[0]  # it has answered; that it never ends its answer does not matter
        if not in_time:
            return Receipt(problem="too_slow")
        return posting.result()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, url: str, letter: Letter, seen: list[Receipt]) -> Receipt:
        headers = signed_headers(letter, datetime.now(UTC))
        try:
            async with self._client.stream("POST", url, content=letter.body, headers=headers) as answer:
                seen.append(Receipt(status=answer.status_code, retry_after=_retry_after(answer)))
                await _read_a_little(answer)
        except (SSRFGuardError, httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            return Receipt(problem="address_refused")
        except httpx.TimeoutException:
            return Receipt(problem="too_slow")
        except (httpx.HTTPError, OSError):
            return Receipt(problem="unreachable")
        return seen[0]


def signed_headers(letter: Letter, now: datetime) -> dict[str, str]:
    """Id, time of the attempt, and a signature by each secret."""
    body = letter.body.decode()
    signatures = [Webhook(secret).sign(letter.event, now, body) for secret in letter.secrets]
    return {
        "webhook-id": letter.event,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def _read_a_little(answer: httpx.Response) -> None:
    read = 0
    with suppress(httpx.HTTPError, OSError):
        async for piece in answer.aiter_raw(READ_BYTES):
            read += len(piece)
            if read >= READ_BYTES:
                return


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds, where an answer that says "later" says when: as a number or as a date."""
    said = answer.headers.get("retry-after", "").strip()
    if answer.status_code not in (429, 503) or not said:
        return None
    if said.isdecimal():
        return float(min(int(said[:9]), 10**8))
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _forget(task: "asyncio.Task[Receipt]") -> None:
    if not task.cancelled():
        task.exception()
