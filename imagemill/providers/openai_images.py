"""The image API of the original provider and of those that speak as it does, by the ``openai`` SDK.

The SDK's own retries are off, since the provider has no idempotency for these calls: every retry is
ours to decide. Redirects are not followed: a redirected purchase is a second request.
"""

import asyncio
import base64
import binascii
from typing import Any

import httpx2
import openai
from openai.types import Image, ImagesResponse

from imagemill.domain.errors import CallError, OutcomeUnknown
from imagemill.domain.pricing import Usage
from imagemill.domain.request import ImageRequest
from imagemill.ports import GeneratedImages
from imagemill.providers.classify import classify
from imagemill.settings import ProviderSettings

_SENT_AS_THEY_ARE = ("model", "prompt", "n", "size", "quality", "output_format")
_SENT_IF_SAID = ("output_compression", "background", "moderation")


class OpenAIImages:
    """One provider account."""

    def __init__(
        self, client: openai.AsyncOpenAI, http: httpx2.AsyncClient, *, free_5xx: bool = False
    ) -> None:
        self._client = client
        self._http = http
        self._free_5xx = free_5xx

    @classmethod
    def connect(cls, settings: ProviderSettings, connections: int) -> "OpenAIImages":
        """Make the client; nothing is sent yet."""
        http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(None, connect=10.0, pool=10.0),
            limits=httpx2.Limits(max_connections=connections + 4, max_keepalive_connections=connections),
            follow_redirects=False,
        )
        client = openai.AsyncOpenAI(
            api_key=settings.api_key.get_secret_value(),
            base_url=settings.base_url,
            max_retries=0,
            http_client=http,
        )
        return cls(client, http, free_5xx=settings.free_5xx)

    async def generate(self, request: ImageRequest, *, deadline: float) -> GeneratedImages:
        """Buy images, with one request at most."""
        try:
            async with asyncio.timeout(deadline):
                # No client timeout: a read timeout bounds nothing if the server drips; the deadline does.
                answer = await self._client.images.with_raw_response.generate(
                    **parameters(request), timeout=httpx2.Timeout(None, connect=10.0, pool=10.0)
                )
                return await self._read(answer.parse(), answer.headers.get("x-request-id"))
        except TimeoutError:
            raise OutcomeUnknown("deadline_passed") from None
        except CallError:
            raise
        except openai.OpenAIError as error:
            raise classify(error, free_5xx=self._free_5xx) from None
        except Exception:  # noqa: BLE001
            # An answer that the SDK can't read, of whatever kind: it was sent, so it may be billed.
            raise OutcomeUnknown("unreadable_answer") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _read(self, body: ImagesResponse, request_id: str | None) -> GeneratedImages:
        """What came: images that can't be read are dropped, and the rest is kept, since it is paid for."""
        entries = body.data or []
        read = [await self._bytes_of(entry) for entry in entries]
        images = [image for image in read if image]
        if not images:
            raise OutcomeUnknown("unreadable_images" if entries else "no_images", request_id)
        return GeneratedImages(images=images, usage=read_usage(body), request_id=request_id)

    async def _bytes_of(self, entry: Image) -> bytes | None:
        if entry.b64_json:
            try:
                return base64.b64decode(entry.b64_json, validate=True)
            except binascii.Error:
                return None
        return await self._fetch(entry.url) if entry.url else None

    async def _fetch(self, url: str) -> bytes | None:
        """Some compatible providers answer with an address that lasts an hour: take what it holds.

        Fetching buys nothing, so redirects are followed and failures tried again, within the deadline.
        """
        for wait in (0.5, 2.0, 8.0, 0.0):
            try:
                answer = await self._http.get(url, follow_redirects=True)
                answer.raise_for_status()
            except httpx2.HTTPError:
                await asyncio.sleep(wait)
            else:
                return answer.content
        return None


def parameters(request: ImageRequest) -> dict[str, Any]:
    """The request as the SDK takes it; what was not said is not sent."""
    sent = {name: getattr(request, name) for name in _SENT_AS_THEY_ARE}
    said = {name: value for name in _SENT_IF_SAID if (value := getattr(request, name)) is not None}
    return sent | said


def read_usage(body: ImagesResponse) -> Usage | None:
    """The provider's own count; None where it sent none, or one that can't be read or says nothing.

    The SDK takes whatever came for its types, so nothing of them can be relied on here.
    """
    usage = body.usage
    details_in = getattr(usage, "input_tokens_details", None)
    details_out = getattr(usage, "output_tokens_details", None)
    inputs, outputs = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    image_in = _count(details_in, "image_tokens") if details_in else 0
    text_out = _count(details_out, "text_tokens") if details_out else 0
    if inputs is None or outputs is None or image_in is None or text_out is None:
        return None
    if image_in > inputs or text_out > outputs:
        return None
    read = Usage(
        text_in=inputs - image_in, image_in=image_in, image_out=outputs - text_out, text_out=text_out
    )
    return read if outputs else None


def _count(holder: object, name: str) -> int | None:
    """A number of tokens, if that is what it is."""
    value = getattr(holder, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
