"""What tests and benchmarks order from the sandbox at run time."""

import base64
from collections.abc import Iterator

import pytest

from sandbox.image_api import pattern
from tests.unit.sandbox_image_api.sandbox import Sandbox

pytestmark = pytest.mark.sockets

SIGNED = b"\x89PNG with a manifest that must arrive as it is"


@pytest.fixture
def tidied(sandbox: Sandbox) -> Iterator[Sandbox]:
    yield sandbox
    sandbox.http.delete("/_sandbox/pictures")
    sandbox.http.post("/_sandbox/limits", json={"images_per_minute": None, "tokens_per_minute": None})


def keep(sandbox: Sandbox, prompt: str, **times: int) -> None:
    answer = sandbox.http.post("/_sandbox/pictures", params={"prompt": prompt, **times}, content=SIGNED)
    answer.raise_for_status()


def images(sandbox: Sandbox, prompt: str, **fields: int) -> list[bytes]:
    return [
        base64.b64decode(image["b64_json"]) for image in sandbox.generate(prompt, **fields).json()["data"]
    ]


def test_given_bytes_are_delivered_unchanged(tidied: Sandbox) -> None:
    keep(tidied, "signed & sealed, é")
    assert images(tidied, "signed & sealed, é", n=2) == [SIGNED, SIGNED]
    assert images(tidied, "signed & sealed, é") == [SIGNED]
    assert pattern.read(images(tidied, "signed & sealed")[0])
    assert tidied.billed("signed & sealed, é")[0]["billed_nano"] > 0


def test_given_bytes_can_be_for_some_answers(tidied: Sandbox) -> None:
    keep(tidied, "once", times=1)
    assert images(tidied, "once") == [SIGNED]
    assert pattern.read(images(tidied, "once")[0]) == pattern.of("once")
    assert tidied.http.get("/_sandbox/pictures").json() == [
        {"prompt": "once", "bytes": len(SIGNED), "left": 0}
    ]
    assert tidied.http.delete("/_sandbox/pictures").json() == []


@pytest.mark.parametrize(
    ("query", "body"), [({}, SIGNED), ({"prompt": "x"}, b""), ({"prompt": "x", "times": "x"}, b"x")]
)
def test_bad_pictures_are_refused(tidied: Sandbox, query: dict[str, str], body: bytes) -> None:
    assert tidied.http.post("/_sandbox/pictures", params=query, content=body).status_code == 400
    assert tidied.http.get("/_sandbox/pictures").json() == []


def test_limits_can_be_changed(tidied: Sandbox) -> None:
    def limit(**limits: int | None) -> dict[str, int | None]:
        said: dict[str, int | None] = tidied.http.post("/_sandbox/limits", json=limits).json()
        return said

    assert limit(images_per_minute=1) == {"images_per_minute": 1, "tokens_per_minute": None}
    tidied.generate("limited")
    assert tidied.generate("limited").status_code == 429
    assert limit(tokens_per_minute=100) == {"images_per_minute": 1, "tokens_per_minute": 100}
    assert limit(images_per_minute=None) == {"images_per_minute": None, "tokens_per_minute": 100}
    refused = tidied.generate("limited").json()["error"]
    assert "tokens per min" in refused["message"]
    limit(tokens_per_minute=None)
    assert tidied.generate("limited").status_code == 200


@pytest.mark.parametrize("body", [b"x", b'{"images_per_minute": 0}', b'{"images": 5}'])
def test_bad_limits_are_refused(tidied: Sandbox, body: bytes) -> None:
    assert tidied.http.post("/_sandbox/limits", content=body).json()["error"]["code"] == "invalid_limits"


def test_calls_are_counted(sandbox: Sandbox) -> None:
    before = sandbox.ledger()
    sandbox.generate("counted")
    sandbox.generate("x", n=0)
    sandbox.order_faults({"kind": "rate_limit"})
    sandbox.generate("counted")
    after = sandbox.ledger()
    assert after["seen"] - before["seen"] == 3
    assert after["calls"] - before["calls"] == 1
    for count, name in (("refused", "429"), ("refused", "400"), ("refused_codes", "rate_limit_exceeded")):
        assert after[count][name] - before[count].get(name, 0) == 1
