"""What lies in the store, by the addresses that the service signs."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx2

from cli.client import LOOPBACK, TIMEOUT
from cli.errors import Refused, ServiceAway


class Expired(Refused):
    """The address is good no more; the service gives a new one."""


class Unchanged(Exception):
    """What is there is what the store has."""


@dataclass(slots=True)
class Facts:
    """What the store says of something whose hash the service does not tell.

    Attributes:
        have: the MD5 of what is there already.
        size: in bytes.
        md5: of the content, where the store's entity tag is one.
    """

    have: str | None = None
    size: int | None = None
    md5: str | None = None

    def take(self, answer: httpx2.Response) -> None:
        """Reads the answer's headers."""
        tag = answer.headers.get("ETag", "").removeprefix("W/").strip('"').lower()
        self.md5 = tag if re.fullmatch(r"[0-9a-f]{32}", tag) else None
        length = answer.headers.get("Content-Length", "")
        self.size = int(length) if length.isascii() and length.isdigit() else None


class Downloads:
    """Fetches from presigned addresses, which get no key of ours."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = httpx2.AsyncClient(
            timeout=TIMEOUT, transport=transport, mounts=None if transport else LOOPBACK
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def read(self, url: str, facts: Facts | None = None) -> AsyncGenerator[bytes, None]:
        """The content, piece by piece.

        Args:
            url: as the service signed it.
            facts: gets what the store says of the content; with its `have`, an MD5, nothing is sent that is
                there already.

        Raises:
            Expired: the store takes the address no more, or never did.
            Unchanged: it is what `have` says.
            Refused: the store says no. The address is not repeated: it is a credential.
            ServiceAway: it does not answer, or says that it can't now.
        """
        headers = {"If-None-Match": f'"{facts.have}"'} if facts and facts.have else {}
        try:
            async with self._http.stream("GET", url, headers=headers) as answer:
                if facts:
                    facts.take(answer)
                if not answer.is_success:
                    raise _no(answer)
                async for piece in answer.aiter_bytes():
                    yield piece
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise ServiceAway(f"the store did not answer ({type(error).__name__})") from None


def _no(answer: httpx2.Response) -> Exception:
    """Why there is no content."""
    text = f"the store answered {answer.status_code} {answer.reason_phrase}"
    if answer.status_code == 304:
        return Unchanged()
    if answer.status_code == 429 or answer.is_server_error:
        return ServiceAway(text, answered=True)
    return Expired(text) if answer.status_code in (400, 401, 403) else Refused(text)
