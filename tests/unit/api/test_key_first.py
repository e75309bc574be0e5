"""Who has no key is answered before a byte of a body is read."""

import pytest
from starlette.types import Message

from api.app import make_app
from api.context import Context
from tests.unit.api.bodies import ADMIN, KEY


async def asked(parts: Context, path: str, key: str | None, method: str = "POST") -> tuple[int, bool]:
    """The status of the answer, and whether the body was asked for."""
    app = make_app(parts)
    read, sent = False, list[Message]()

    async def receive() -> Message:
        nonlocal read
        read = True
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    if key:
        headers.append((b"authorization", f"Bearer {key}".encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers, "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"], read


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/job_1/retry", "/v1/files", "/v1/uploads"])
@pytest.mark.parametrize("key", [None, "im_test_wrong", "nonsense"])
async def test_without_a_key_no_body_is_read(parts: Context, path: str, key: str | None) -> None:
    status, _ = await asked(parts, path, key)
    assert status == 401


async def test_the_body_of_a_stranger_is_not_parsed(parts: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read after the answer is thrown away, so that the answer arrives; none of it is parsed."""

    def parse(*_: object, **__: object) -> None:
        raise AssertionError("a stranger's body was parsed")

    monkeypatch.setattr("json.loads", parse)
    assert (await asked(parts, "/v1/jobs", None))[0] == 401


async def test_a_tenant_s_key_and_the_operator_s_pass(parts: Context) -> None:
    assert await asked(parts, "/v1/jobs", KEY) == (422, True)
    assert await asked(parts, "/v1/tenants/t/caps", ADMIN, "PUT") == (403, True)  # no cap, as it says
