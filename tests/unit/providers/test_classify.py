"""What each answer of the provider means, through the real SDK."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import openai
import pytest
from openai.types import ImagesResponse
from pydantic import SecretStr

from imagemill.domain.errors import AccountTrouble, CallError, NotBilled, NotSent, OutcomeUnknown, Refused
from imagemill.domain.pricing import Usage
from imagemill.domain.request import ImageRequest
from imagemill.providers.classify import retry_after
from imagemill.providers.openai_images import OpenAIImages, read_usage
from imagemill.settings import ProviderSettings

SECRET = "a very private prompt"
REQUEST = ImageRequest(prompt=SECRET, model="gpt-image-2", size="1024x1024", quality="low")
USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 2},
    "output_tokens": 196,
    "total_tokens": 208,
}
IMAGE = {"b64_json": base64.b64encode(b"bytes").decode()}


def images(handler: Callable[[httpx2.Request], httpx2.Response], *, free_5xx: bool = False) -> OpenAIImages:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler), follow_redirects=False)
    client = openai.AsyncOpenAI(api_key="k", base_url="http://api/v1", max_retries=0, http_client=http)
    return OpenAIImages(client, http, free_5xx=free_5xx)


async def failure(answer: httpx2.Response, *, free_5xx: bool = False) -> CallError:
    """What an answer is raised as; one request went out, and no word of the provider's came along."""
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return answer

    with pytest.raises(CallError) as caught:
        await images(handler, free_5xx=free_5xx).generate(REQUEST, deadline=5)
    assert len(seen) == 1
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def error(
    status: int,
    code: str | None,
    message: str = "",
    headers: dict[str, str] | None = None,
    **more: object,
) -> httpx2.Response:
    body = {"error": {"code": code, "message": f"{message} {SECRET}", "type": "some_error", **more}}
    return httpx2.Response(status, json=body, headers={"x-request-id": "req_7"} | (headers or {}))


@pytest.mark.parametrize(
    ("details", "billed"),
    [
        ({"moderation_details": {"moderation_stage": "input", "categories": []}}, False),
        ({"moderation_details": {"moderation_stage": "output", "categories": []}}, True),
        ({"moderation_details": {}}, True),
        ({"moderation_details": None}, True),
        ({}, True),
    ],
)
@pytest.mark.parametrize("code", ["moderation_blocked", "content_policy_violation"])
async def test_a_block_may_be_billed_unless_it_came_at_the_input(
    code: str, details: dict[str, object], billed: bool
) -> None:
    raised = await failure(error(400, code, "", None, **details))

    assert isinstance(raised, Refused)
    assert (raised.code, raised.blocked, raised.maybe_billed) == ("blocked", True, billed)
    assert raised.request_id == "req_7"


@pytest.mark.parametrize("answer", [error(400, "invalid_value"), error(400, None), error(422, None)])
async def test_a_bad_parameter_is_this_items_fault_and_free(answer: httpx2.Response) -> None:
    raised = await failure(answer)

    assert isinstance(raised, Refused)
    assert (raised.code, raised.blocked, raised.maybe_billed) == ("invalid_request", False, False)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(400, "billing_hard_limit_reached"), "billing_hard_limit_reached"),
        (error(401, "invalid_api_key"), "invalid_api_key"),
        (error(403, None, "Your organization must be verified"), "permission_denied"),
        (error(404, "model_not_found"), "model_not_found"),
        (error(429, "insufficient_quota"), "insufficient_quota"),
    ],
)
async def test_trouble_of_the_account(answer: httpx2.Response, code: str) -> None:
    raised = await failure(answer)

    assert isinstance(raised, AccountTrouble)
    assert (raised.code, raised.request_id) == (code, "req_7")


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 524, 418])
@pytest.mark.parametrize("readable", [True, False])
async def test_any_other_status_leaves_the_outcome_unknown(status: int, readable: bool) -> None:
    answer = error(status, None) if readable else httpx2.Response(status, text=f"<html>{SECRET}</html>")

    assert isinstance(await failure(answer), OutcomeUnknown)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_holds_the_work(status: int) -> None:
    where = {"location": "http://elsewhere/v1/images/generations"}
    raised = await failure(httpx2.Response(status, text=f"<html>{SECRET}</html>", headers=where))

    assert isinstance(raised, AccountTrouble)
    assert raised.code == "redirected"


@pytest.mark.parametrize("wait", ["1790000000", "inf", "nan", "1e400"])
def test_a_wait_is_never_longer_than_an_hour(wait: str) -> None:
    assert retry_after(httpx2.Headers({"retry-after": wait}), "") == 3600


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"total_tokens": 0},
        {"input_tokens": None, "output_tokens": None},
        {"prompt_tokens": 3, "completion_tokens": 9},
        {"input_tokens": 3, "output_tokens": 9, "input_tokens_details": {}},
        {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"text_tokens": 50}},
        {"input_tokens": 3, "output_tokens": -9},
        [],
        1.5,
    ],
)
def test_a_usage_that_cannot_be_read_is_none(usage: object) -> None:
    body = ImagesResponse.construct(created=1, data=[], usage=usage)

    assert read_usage(body) is None


async def test_what_can_be_read_of_several_images_is_kept() -> None:
    good = base64.b64encode(b"good").decode()
    data = [{"b64_json": good}, {"b64_json": "no base64!"}, {}, {"b64_json": good}]
    answer = httpx2.Response(200, json={"created": 1, "data": data})

    assert (await images(lambda _: answer).generate(REQUEST, deadline=5)).images == [b"good", b"good"]


@pytest.mark.parametrize("status", [500, 503, 524])
async def test_a_provider_may_declare_its_5xx_free(status: int) -> None:
    raised = await failure(error(status, None), free_5xx=True)

    assert isinstance(raised, NotBilled)
    assert raised.retry_after is None


@pytest.mark.parametrize("status", [408, 409])
async def test_free_5xx_says_nothing_of_other_statuses(status: int) -> None:
    assert isinstance(await failure(error(status, None), free_5xx=True), OutcomeUnknown)


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, "try again in 12s", 1.5),
        ({"retry-after": "9"}, "try again in 12s", 9.0),
        ({"retry-after-ms": "soon", "retry-after": "9"}, "", 9.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "try again in 12s", 12.0),
        ({}, "Limit 5, Used 5, Requested 1. Please try again in 12s.", 12.0),
        ({}, "try again in 250ms", 0.25),
        ({}, "try again in 1.5m", 90.0),
        ({}, "slow down", None),
    ],
)
async def test_a_rate_limit_says_when_to_come_again(
    headers: dict[str, str], message: str, seconds: float | None
) -> None:
    raised = await failure(error(429, "rate_limit_exceeded", message, headers))

    assert isinstance(raised, NotBilled)
    assert (raised.code, raised.retry_after) == ("rate_limited", seconds)


@pytest.mark.parametrize("said", ["Limit 5, Used 0, Requested 10.", "Limit: 100,000. Requested: 250,000"])
async def test_a_request_above_the_limit_never_succeeds(said: str) -> None:
    raised = await failure(error(429, "rate_limit_exceeded", said))

    assert isinstance(raised, Refused)
    assert (raised.code, raised.maybe_billed) == ("request_above_limit", False)


async def test_a_429_that_is_not_json_is_a_rate_limit() -> None:
    raised = await failure(httpx2.Response(429, text="slow down", headers={"retry-after": "3"}))

    assert isinstance(raised, NotBilled)
    assert raised.retry_after == 3


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, json={"created": 1, "data": []}),
        httpx2.Response(200, json={"created": 1, "data": None}),
        httpx2.Response(200, json={"created": 1}),
        httpx2.Response(200, json={"created": 1, "data": [{}]}),
        httpx2.Response(200, json={"created": 1, "data": [{"b64_json": "abc"}]}),
        httpx2.Response(200, json=[1]),
        httpx2.Response(200, json=None),
        httpx2.Response(200, json={"task_id": "t"}),
        httpx2.Response(200, text="<html>hello</html>", headers={"content-type": "text/html"}),
        httpx2.Response(200, text='{"data": [', headers={"content-type": "application/json"}),
        httpx2.Response(200, text=""),
    ],
)
async def test_a_200_without_images_leaves_the_outcome_unknown(answer: httpx2.Response) -> None:
    assert isinstance(await failure(answer), OutcomeUnknown)


async def test_images_come_with_usage_and_request_id() -> None:
    body = {"created": 1, "data": [IMAGE, IMAGE], "usage": USAGE, "news": {"a": 1}}
    sent: list[dict[str, object]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content))
        return httpx2.Response(200, json=body, headers={"x-request-id": "req_9"})

    answer = await images(handler).generate(REQUEST, deadline=5)

    assert list(answer.images) == [b"bytes", b"bytes"]
    assert answer.usage == Usage(text_in=10, image_in=2, image_out=196)
    assert answer.request_id == "req_9"
    assert sent == [
        {
            "prompt": SECRET,
            "model": "gpt-image-2",
            "size": "1024x1024",
            "quality": "low",
            "n": 1,
            "output_format": "png",
        }
    ]


@pytest.mark.parametrize(
    "usage",
    [None, dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), 0), USAGE | {"odd": 1}],
)
async def test_a_usage_that_says_nothing_is_none(usage: dict[str, object] | None) -> None:
    body = {"created": 1, "data": [IMAGE], "usage": usage}
    answer = await images(lambda _: httpx2.Response(200, json=body)).generate(REQUEST, deadline=5)

    assert (answer.usage is None) == (usage is None or not usage["total_tokens"])


async def test_an_address_instead_of_bytes_is_fetched() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "cdn":
            assert "authorization" not in request.headers
            return httpx2.Response(200, content=b"from the cdn")
        return httpx2.Response(200, json={"created": 1, "data": [{"url": "http://cdn/1"}], "usage": USAGE})

    assert list((await images(handler).generate(REQUEST, deadline=5)).images) == [b"from the cdn"]


async def test_an_address_that_gives_nothing_leaves_the_outcome_unknown() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "cdn":
            return httpx2.Response(404)
        return httpx2.Response(200, json={"created": 1, "data": [{"url": f"http://cdn/{SECRET}"}]})

    with pytest.raises(OutcomeUnknown) as caught:
        await images(handler).generate(REQUEST, deadline=5)
    assert SECRET not in str(caught.value)


Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(speak: Speak) -> AsyncIterator[OpenAIImages]:
    """A provider on a real socket that reads the request and then does as it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        await speak(reader, writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        provider = connect(port)
        yield provider
        await provider.close()


def connect(port: int) -> OpenAIImages:
    settings = ProviderSettings(base_url=f"http://127.0.0.1:{port}/v1", api_key=SecretStr("k"))
    return OpenAIImages.connect(settings, connections=1)


@pytest.mark.sockets
async def test_a_refused_connection_sent_nothing() -> None:
    listening = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()
    provider = connect(port)

    with pytest.raises(NotSent) as caught:
        await provider.generate(REQUEST, deadline=5)
    assert caught.value.code == "connect_failed"
    await provider.close()


async def _reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _truncate(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"da')
    await writer.drain()


@pytest.mark.sockets
@pytest.mark.parametrize("speak", [_reset, _hang_up, _truncate])
async def test_a_connection_lost_after_sending_leaves_the_outcome_unknown(speak: Speak) -> None:
    async with server(speak) as provider:
        with pytest.raises(OutcomeUnknown):
            await provider.generate(REQUEST, deadline=5)


@pytest.mark.sockets
async def test_the_deadline_bounds_a_server_that_drips() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n ")
        await writer.drain()
        await reader.read()  # until the client hangs up

    async with server(drip) as provider:
        with pytest.raises(OutcomeUnknown) as caught:
            await provider.generate(REQUEST, deadline=0.2)
    assert caught.value.code == "deadline_passed"
