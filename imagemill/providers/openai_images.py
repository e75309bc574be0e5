"""The image API of the original provider and of those that speak as it does, by the ``openai`` SDK."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx2
import openai

from imagemill.domain.errors import OutcomeUnknown
from imagemill.domain.pace import Told
from imagemill.domain.pools import Pool
from imagemill.domain.request import ImageRequest
from imagemill.ports import NO_INPUTS, GeneratedImages, SentInputs
from imagemill.providers import sending
from imagemill.providers.answers import Entry, read_entries, read_usage
from imagemill.providers.classify import classify
from imagemill.providers.client import NEVER_SENT, TIMEOUT, for_model, headers, http_client, sdk_client
from imagemill.providers.fetching import WAITS, fetch
from imagemill.providers.limits import read_told


class OpenAIImages:
    """One provider account.

    Args:
        account: how it is reached.
        http: sends the requests; it must follow no redirects by itself.
        never_sent: the errors of its transport that prove that a request did not leave; by default none.
        fetch_waits: seconds before each further try to fetch an image that came as an address.
    """

    def __init__(
        self,
        account: Pool,
        http: httpx2.AsyncClient,
        *,
        never_sent: tuple[type[Exception], ...] = (),
        fetch_waits: Sequence[float] = WAITS,
    ) -> None:
        self._account = account
        self._http = http
        self._client = sdk_client(account, http)
        self._headers = headers(account)
        self._never_sent = never_sent
        self._fetch_waits = fetch_waits

    @classmethod
    def connect(cls, account: Pool, connections: int) -> "OpenAIImages":
        """Make the client; nothing is sent yet."""
        return cls(account, http_client(connections), never_sent=NEVER_SENT)

    async def generate(
        self, request: ImageRequest, *, deadline: float, inputs: SentInputs = NO_INPUTS
    ) -> GeneratedImages:
        """Buy images, with one request at most."""
        ends = time.monotonic() + deadline
        try:
            async with asyncio.timeout(deadline):
                answer = await self._send(request, inputs)
        except TimeoutError:
            raise OutcomeUnknown("deadline_passed") from None
        except openai.OpenAIError as error:
            free = self._account.free_5xx
            raise classify(error, free_5xx=free, never_sent=self._never_sent) from None
        except Exception:  # noqa: BLE001
            # Something that neither the SDK nor the transport means to raise: it may have been sent.
            raise OutcomeUnknown("connection_lost") from None
        return await self._read(answer, ends, with_images=bool(inputs.images))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, request: ImageRequest, inputs: SentInputs) -> httpx2.Response:
        images = for_model(self._client, self._account, request.model).images.with_raw_response
        size_as = self._account.size_as
        always: dict[str, Any] = {"extra_headers": self._headers, "timeout": TIMEOUT}
        if inputs.images:
            sent = await images.edit(**sending.edit(request, inputs, size_as=size_as), **always)
        else:
            sent = await images.generate(**sending.generation(request, size_as=size_as), **always)
        response: httpx2.Response = sent.http_response
        return response

    async def _read(self, answer: httpx2.Response, ends: float, *, with_images: bool) -> GeneratedImages:
        """What came: images that can't be had are left out, and the rest is kept, since it is paid for."""
        request_id = answer.headers.get("x-request-id")
        told = read_told(answer.headers, "", answer.status_code)
        try:
            body = _json(answer)
            images = [image for image in await self._collect(read_entries(body), ends) if image]
            if not images:
                raise OutcomeUnknown("unreadable_images")
        except OutcomeUnknown as error:
            raise _known(error.code, request_id, told) from None
        except Exception:  # noqa: BLE001
            raise _known("unreadable_answer", request_id, told) from None
        return GeneratedImages(
            images=images, usage=read_usage(body, with_images=with_images), request_id=request_id, told=told
        )

    async def _collect(self, entries: Sequence[Entry], ends: float) -> list[bytes | None]:
        return await asyncio.gather(*(self._bytes_of(entry, ends) for entry in entries))

    async def _bytes_of(self, entry: Entry, ends: float) -> bytes | None:
        """An image's bytes as they came; None where its address gave nothing in time."""
        if entry.url is None:
            return entry.data
        try:
            async with asyncio.timeout(max(0.0, ends - time.monotonic())):
                return await fetch(self._http, entry.url, self._fetch_waits)
        except TimeoutError:
            return None


def _json(answer: httpx2.Response) -> object:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise OutcomeUnknown("unreadable_answer") from None


def _known(code: str, request_id: str | None, told: Told | None) -> OutcomeUnknown:
    """An unknown outcome, with what the answer's headers said."""
    known = OutcomeUnknown(code, request_id)
    known.told = told
    return known
