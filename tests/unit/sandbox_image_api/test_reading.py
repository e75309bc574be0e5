"""How much of a request is read."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.requests import Request
from starlette.types import Message

from sandbox.image_api import catalog, form, reading
from sandbox.image_api.attachments import Attachments
from sandbox.image_api.errors import ApiError
from sandbox.image_api.profiles import OPENAI
from sandbox.image_api.reading import Reader

CHUNK = 1000
FORM = b'--x\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n'


class Endless:
    """A body without an end."""

    def __init__(self, start: bytes = b"") -> None:
        self._start = start
        self.sent = 0

    async def __call__(self) -> Message:
        body, self._start = self._start or b"a" * CHUNK, b""
        self.sent += len(body)
        return {"type": "http.request", "body": body, "more_body": True}


def request(content_type: str, body: Endless) -> Request:
    headers = [(b"content-type", content_type.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers, "path_params": {}}, body)


@pytest.fixture
def reader() -> Reader:
    return Reader(catalog.load, OPENAI, ThreadPoolExecutor(1))


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
async def test_no_body_is_read_without_end(
    monkeypatch: pytest.MonkeyPatch, reader: Reader, content_type: str
) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 50 * CHUNK)
    monkeypatch.setattr(form, "MOST_BYTES", 50 * CHUNK)
    body = Endless(FORM if "form" in content_type else b"{")
    with pytest.raises(ApiError) as refusal:
        await reader.edit(request(content_type, body), Attachments())
    assert refusal.value.status == 413
    assert 50 * CHUNK < body.sent <= 52 * CHUNK


async def test_a_generation_takes_no_form(reader: Reader) -> None:
    with pytest.raises(ApiError) as refusal:
        await reader.generation(request("multipart/form-data; boundary=x", Endless(FORM)), Attachments())
    assert (refusal.value.status, refusal.value.code) == (400, "unsupported_content_type")
