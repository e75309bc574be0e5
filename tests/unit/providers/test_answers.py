"""What is made of an answer of 200, however odd."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from imagemill.domain.errors import EXPLANATIONS, OutcomeUnknown
from imagemill.domain.pace import Told
from imagemill.domain.pricing import Usage
from imagemill.ports import GeneratedImages
from imagemill.providers import fetching
from imagemill.providers.answers import read_usage
from imagemill.sniff import facts_of
from tests.fakes.provider import picture
from tests.unit.providers.wire import KEY, REQUEST, SECRET, provider

USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 2},
    "output_tokens": 196,
    "total_tokens": 208,
}
PNG = picture("red", "PNG")
JPEG = picture("blue", "JPEG")
ODD = bytes(range(251, 256)) * 50
"""Its base64 has plus signs, slashes and padding."""


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def answered(body: object, headers: dict[str, str] | None = None) -> GeneratedImages:
    answer = httpx2.Response(200, json=body, headers=headers)
    return await provider(lambda _: answer).generate(REQUEST, deadline=5)


async def test_images_come_with_usage_request_id_and_limits() -> None:
    entries = [{"b64_json": encoded(PNG), "revised_prompt": SECRET}, {"b64_json": encoded(JPEG), "url": None}]
    headers = {"x-request-id": "req_9", "x-ratelimit-remaining-input-images": "4"}
    answer = await answered({"created": 1, "data": entries, "usage": USAGE, "news": {"a": 1}}, headers)

    assert list(answer.images) == [PNG, JPEG]  # as they came, whatever was asked for
    assert [facts_of(image).format for image in answer.images] == ["png", "jpeg"]
    assert answer.usage == Usage(text_in=10, image_in=2, image_out=196)
    assert answer.request_id == "req_9"
    assert answer.told == Told(images_left=4)


@pytest.mark.parametrize(
    "text",
    [
        encoded(ODD),
        encoded(ODD).rstrip("="),
        "\r\n".join(encoded(ODD)[at : at + 76] for at in range(0, 400, 76)),
        base64.urlsafe_b64encode(ODD).decode(),
        f"data:image/png;base64,{encoded(ODD)}",
    ],
)
@pytest.mark.parametrize("name", ["b64_json", "url"])
async def test_base64_in_all_its_spellings(text: str, name: str) -> None:
    if name == "url":
        text = text if text.startswith("data:") else f"data:image/png;base64,{text}"

    assert list((await answered({"data": [{name: text}]})).images) == [ODD]


async def test_what_can_be_read_of_several_images_is_kept() -> None:
    good = {"b64_json": encoded(PNG)}
    data = [good, {"b64_json": "no base64!"}, {}, None, "text", {"b64_json": 7}, {"b64_json": "YQ=a"}, good]

    assert list((await answered({"created": 1, "data": data})).images) == [PNG, PNG]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"created": 1, "data": []}, "no_images"),
        ({"created": 1, "data": None}, "no_images"),
        ({"created": 1, "data": {}}, "no_images"),
        ({"created": 1, "data": "text"}, "no_images"),
        ({"created": 1}, "no_images"),
        ({"error": None, "id": "x"}, "no_images"),
        ({"created": 1, "data": [{}]}, "unreadable_images"),
        ({"created": 1, "data": [{"b64_json": "%bc"}]}, "unreadable_images"),
        ({"created": 1, "data": [{"b64_json": ""}]}, "unreadable_images"),
        ({"created": 1, "data": [{"b64_json": "data:image/png,text"}]}, "unreadable_images"),
        ([1], "unreadable_answer"),
        (None, "unreadable_answer"),
        ("text", "unreadable_answer"),
        ({"task_id": "t"}, "asynchronous_answer"),
        ({"task_id": "t", "status": "queued"}, "asynchronous_answer"),
        ({"code": 200, "data": {"task_id": "t"}}, "asynchronous_answer"),
        ({"code": 200, "data": [{"task_id": "t", "status": "submitted"}]}, "asynchronous_answer"),
        ({"id": "t", "status": "IN_QUEUE"}, "asynchronous_answer"),
    ],
)
async def test_a_200_without_images_leaves_the_outcome_unknown(body: object, code: str) -> None:
    headers = {"x-request-id": "req_8", "x-ratelimit-limit-input-images": "5"}
    with pytest.raises(OutcomeUnknown) as caught:
        await answered(body, headers)

    assert (caught.value.code, caught.value.request_id) == (code, "req_8")
    assert caught.value.told == Told(images_limit=5)


def test_an_asynchronous_answer_is_explained() -> None:
    assert "task" in EXPLANATIONS["asynchronous_answer"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text=f"<html>{SECRET}</html>", headers={"content-type": "text/html"}),
        httpx2.Response(200, text='{"data": [', headers={"content-type": "application/json"}),
        httpx2.Response(200, content=b"\xff\xfe\x00", headers={"content-type": "application/json"}),
        httpx2.Response(200, text="[" * 100_000),
        httpx2.Response(200, text=""),
        httpx2.Response(204),
    ],
)
async def test_an_answer_that_is_not_json_leaves_the_outcome_unknown(answer: httpx2.Response) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        await provider(lambda _: answer).generate(REQUEST, deadline=5)

    assert caught.value.code == "unreadable_answer"
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_json_under_another_content_type_is_read() -> None:
    text = httpx2.Response(200, json={"data": [{"b64_json": encoded(PNG)}], "usage": USAGE}).text
    answer = httpx2.Response(200, text=text, headers={"content-type": "text/plain"})

    assert list((await provider(lambda _: answer).generate(REQUEST, deadline=5)).images) == [PNG]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        1.5,
        {"total_tokens": 0},
        dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), 0),
        {"input_tokens": 9, "output_tokens": 0},
        {"input_tokens": None, "output_tokens": None},
        {"input_tokens": True, "output_tokens": True},
        {"input_tokens": "3", "output_tokens": "9"},
        {"prompt_tokens": 3, "completion_tokens": 9},
        {"input_tokens": 3, "output_tokens": 9, "input_tokens_details": {"image_tokens": 4}},
        {"input_tokens": 3, "output_tokens": 9, "input_tokens_details": {"text_tokens": 3}},
        {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"text_tokens": 50}},
        {"input_tokens": 3, "output_tokens": -9},
    ],
)
def test_a_usage_that_cannot_be_read_or_says_nothing_is_none(usage: object) -> None:
    assert read_usage({"data": [], "usage": usage}) is None


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (USAGE | {"odd": 1}, Usage(text_in=10, image_in=2, image_out=196)),
        ({"input_tokens": 3, "output_tokens": 9}, Usage(text_in=3, image_out=9)),
        ({"input_tokens": 0, "output_tokens": 9, "input_tokens_details": None}, Usage(image_out=9)),
        (
            {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"text_tokens": 4}},
            Usage(text_in=3, image_out=5, text_out=4),
        ),
    ],
)
def test_a_usage_is_read(usage: dict[str, Any], read: Usage) -> None:
    assert read_usage({"usage": usage}) == read


# --- images as addresses --------------------------------------------------------------------------


def served(
    cdn: Callable[[httpx2.Request], httpx2.Response], *urls: str
) -> Callable[[httpx2.Request], httpx2.Response]:
    """An API that answers with these addresses, and what lies behind them."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            assert KEY not in str(request.headers)
            return cdn(request)
        return httpx2.Response(200, json={"data": [{"url": url} for url in urls], "usage": USAGE})

    return handler


async def test_an_address_instead_of_bytes_is_fetched_without_the_key() -> None:
    def cdn(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/1":
            return httpx2.Response(302, headers={"location": "http://other/2"})
        return httpx2.Response(200, content=PNG)

    answer = await provider(served(cdn, "http://cdn/1")).generate(REQUEST, deadline=5)
    assert list(answer.images) == [PNG]
    assert answer.usage == Usage(text_in=10, image_in=2, image_out=196)


async def test_fetching_is_tried_again() -> None:
    answers = iter([httpx2.Response(503), httpx2.Response(404), httpx2.Response(200, content=PNG)])

    answer = await provider(served(lambda _: next(answers), "http://cdn/1")).generate(REQUEST, deadline=5)
    assert list(answer.images) == [PNG]


async def test_images_that_cannot_be_fetched_are_left_out() -> None:
    def cdn(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/3":
            raise KeyError("a fault of ours")
        return httpx2.Response(200, content=PNG) if request.url.path == "/2" else httpx2.Response(404)

    urls = ("http://cdn/1", "http://cdn/2", "http://cdn/3", "ftp://cdn/2", "http://[", "no address")
    answer = await provider(served(cdn, *urls)).generate(REQUEST, deadline=5)
    assert list(answer.images) == [PNG]


@pytest.mark.parametrize("content", [b"", b"x" * 101])
async def test_an_address_that_gives_nothing_or_too_much_leaves_the_outcome_unknown(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_BYTES", 100)
    handler = served(lambda _: httpx2.Response(200, content=content), f"http://cdn/{SECRET}?key={KEY}")

    with pytest.raises(OutcomeUnknown) as caught:
        await provider(handler).generate(REQUEST, deadline=5)
    assert caught.value.code == "unreadable_images"
    assert SECRET not in repr(caught.value)
    assert KEY not in repr(caught.value)


async def test_an_image_that_comes_too_late_is_left_out_and_the_others_are_kept() -> None:
    class Endless(httpx2.AsyncByteStream):
        async def __aiter__(self) -> Any:
            yield b"x"
            await asyncio.Event().wait()

    def cdn(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/2":
            return httpx2.Response(200, stream=Endless())
        return httpx2.Response(200, content=PNG)

    async with asyncio.timeout(10):
        answer = await provider(served(cdn, "http://cdn/1", "http://cdn/2")).generate(REQUEST, deadline=0.3)
    assert list(answer.images) == [PNG]
