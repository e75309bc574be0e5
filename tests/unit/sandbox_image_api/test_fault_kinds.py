"""Each kind of fault, as the official client meets it on a real socket."""

import base64
import io
import json
import socket
from typing import Any

import httpx2
import openai
import pytest
from openai.types import ImagesResponse
from PIL import Image

from sandbox.image_api import pattern
from sandbox.image_api.faults import Kind
from tests.unit.sandbox_image_api.sandbox import KEY, Sandbox, until

pytestmark = pytest.mark.sockets


async def call(sandbox: Sandbox, prompt: str, *, timeout: float = 10.0, **fields: Any) -> ImagesResponse:
    async with sandbox.client(timeout=timeout) as client:
        answer: ImagesResponse = await client.images.generate(
            prompt=prompt, model="gpt-image-2", quality="low", **fields
        )
    return answer


REFUSALS = {
    Kind.ERROR_500_UNBILLED: (openai.InternalServerError, 500, "server_error"),
    Kind.ERROR_500_BILLED: (openai.InternalServerError, 500, "server_error"),
    Kind.NON_JSON_500: (openai.InternalServerError, 500, None),
    Kind.RATE_LIMIT: (openai.RateLimitError, 429, "rate_limit_exceeded"),
    Kind.INSUFFICIENT_QUOTA: (openai.RateLimitError, 429, "insufficient_quota"),
    Kind.BILLING_HARD_LIMIT: (openai.BadRequestError, 400, "billing_hard_limit_reached"),
    Kind.INVALID_API_KEY: (openai.AuthenticationError, 401, "invalid_api_key"),
    Kind.UNVERIFIED_ORG: (openai.PermissionDeniedError, 403, None),
    Kind.ERROR_UNBILLED: (openai.InternalServerError, 500, "server_error"),
    Kind.ERROR_BILLED: (openai.InternalServerError, 500, "server_error"),
    Kind.SLOW_START: (openai.InternalServerError, 503, "server_overloaded"),
    Kind.RATE_LIMIT_TOKENS: (openai.RateLimitError, 429, "rate_limit_exceeded"),
    Kind.REQUEST_TOO_LARGE: (openai.RateLimitError, 429, "rate_limit_exceeded"),
    Kind.MODEL_NOT_FOUND: (openai.NotFoundError, 404, "model_not_found"),
    Kind.CONTENT_POLICY: (openai.BadRequestError, 400, "content_policy_violation"),
    Kind.MODERATION_INPUT: (openai.BadRequestError, 400, "moderation_blocked"),
    Kind.MODERATION_OUTPUT: (openai.BadRequestError, 400, "moderation_blocked"),
    Kind.MODERATION_UNSAID: (openai.BadRequestError, 400, "moderation_blocked"),
}
REFUSED_AND_BILLED = {
    Kind.ERROR_500_BILLED,
    Kind.ERROR_BILLED,
    Kind.MODERATION_OUTPUT,
    Kind.MODERATION_UNSAID,
}
STATUSES = {
    408: "request_timeout",
    409: "conflict",
    502: None,
    503: "server_overloaded",
    504: None,
    524: None,
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_refusals(sandbox: Sandbox, kind: Kind) -> None:
    error, status, code = REFUSALS[kind]
    sandbox.order_faults({"kind": kind, "match": kind, "times": 1})
    with pytest.raises(error) as refusal:
        await call(sandbox, f"refused by {kind}")
    assert (refusal.value.status_code, refusal.value.code) == (status, code)
    assert refusal.value.request_id
    assert len(sandbox.billed(f"refused by {kind}")) == (kind in REFUSED_AND_BILLED)
    assert (await call(sandbox, f"refused by {kind}")).data


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", [Kind.ERROR_UNBILLED, Kind.ERROR_BILLED])
def test_statuses_after_which_the_outcome_is_unknown(sandbox: Sandbox, kind: Kind, status: int) -> None:
    prompt = f"{status} by {kind}"
    sandbox.order_faults({"kind": kind, "status": status})
    answer = sandbox.generate(prompt)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, STATUSES[status])
    assert len(sandbox.billed(prompt)) == (kind is Kind.ERROR_BILLED)
    assert sandbox.outcomes(prompt) == [f"error_{status}"] * (kind is Kind.ERROR_BILLED)


def test_a_gateway_has_a_status(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "non_json_500", "status": 502})
    answer = sandbox.generate("gateway")
    assert (answer.status_code, answer.text[:6]) == (502, "<html>")


def test_requested_above_the_limit_never_succeeds(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "request_too_large"})
    answer = sandbox.generate("many", n=4)
    assert "Request too large" in answer.json()["error"]["message"]
    assert "Limit 3, Requested 4." in answer.json()["error"]["message"]
    assert "retry-after" not in answer.headers


def test_a_block_may_not_say_where_it_was_made(sandbox: Sandbox) -> None:
    error = sandbox.generate("something forbidden-unsaid").json()["error"]
    assert (error["code"], error["moderation_details"]) == (
        "moderation_blocked",
        {"categories": ["violence"]},
    )
    assert len(sandbox.billed("something forbidden-unsaid")) == 1


def test_base64_with_line_breaks_and_without_padding(sandbox: Sandbox) -> None:
    whole = sandbox.generate("odd").json()["data"][0]["b64_json"]
    sandbox.order_faults({"kind": "odd_base64"})
    odd = sandbox.generate("odd").json()["data"][0]["b64_json"]
    assert odd != whole
    assert odd.replace("\n", "") == whole.rstrip("=")
    assert max(map(len, odd.split("\n"))) == 76


def test_what_is_no_base64(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "broken_base64"})
    text = sandbox.generate("broken").json()["data"][0]["b64_json"]
    with pytest.raises(ValueError, match="base64"):
        base64.b64decode(text, validate=True)


def test_a_data_url_in_the_place_of_base64(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "data_url"})
    head, text = sandbox.generate("data url").json()["data"][0]["b64_json"].split(",")
    assert head == "data:image/png;base64"
    assert pattern.read(base64.b64decode(text)) == pattern.of("data url")


def test_a_task_in_the_place_of_images(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "task_instead"})
    answer = sandbox.generate("task")
    assert answer.status_code == 200
    assert set(answer.json()) == {"task_id", "status"}
    assert len(sandbox.billed("task")) == 1


async def test_a_rate_limit_says_when_to_come_back(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "rate_limit", "seconds": 1.5})
    with pytest.raises(openai.RateLimitError, match=r"Please try again in 1.5s\.") as refusal:
        await call(sandbox, "limited")
    assert refusal.value.response.headers["retry-after-ms"] == "1500"
    assert refusal.value.response.headers["retry-after"] == "2"


async def test_an_unverified_organization_shows_in_the_message(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "unverified_org"})
    with pytest.raises(openai.PermissionDeniedError, match="must be verified"):
        await call(sandbox, "unverified")


async def test_a_gateway_answers_in_html(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "non_json_500"})
    with pytest.raises(openai.InternalServerError) as refusal:
        await call(sandbox, "html")
    assert refusal.value.response.text.startswith("<html>")


@pytest.mark.parametrize(("kind", "billed"), [(Kind.RESET_BEFORE_BILLING, 0), (Kind.RESET_AFTER_BILLING, 1)])
async def test_resets(sandbox: Sandbox, kind: Kind, billed: int) -> None:
    sandbox.order_faults({"kind": kind})
    with pytest.raises(openai.APIConnectionError):
        await call(sandbox, f"cut by {kind}")
    assert len(sandbox.billed(f"cut by {kind}")) == billed
    assert sandbox.outcomes(f"cut by {kind}") == ["reset"] * billed


def _send(sandbox: Sandbox, prompt: str) -> socket.socket:
    body = json.dumps({"prompt": prompt, "model": "gpt-image-2", "quality": "low"}).encode()
    head = f"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    connection = socket.create_connection(sandbox.address, timeout=10)
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE_BILLING, Kind.RESET_AFTER_BILLING])
def test_a_reset_is_a_reset(sandbox: Sandbox, kind: Kind) -> None:
    sandbox.order_faults({"kind": kind})
    with _send(sandbox, "raw") as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)


async def test_a_hanging_call_is_billed_when_it_is_accepted(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "hang"})
    with pytest.raises(openai.APITimeoutError):
        await call(sandbox, "hanging", timeout=0.3)
    assert len(sandbox.billed("hanging")) == 1
    until(lambda: sandbox.outcomes("hanging") == ["disconnected"])


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.DELAY])
async def test_a_late_answer_is_whole(sandbox: Sandbox, kind: Kind) -> None:
    sandbox.order_faults({"kind": kind, "seconds": 0.2})
    async with sandbox.client() as client:
        answer = await client.images.with_raw_response.generate(prompt=f"late by {kind}", model="gpt-image-2")
    assert int(answer.headers["openai-processing-ms"]) >= 200
    assert (answer.parse()).data
    assert sandbox.outcomes(f"late by {kind}") == ["answered"]


def test_a_drip_comes_in_many_pieces(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "drip", "seconds": 0.4})
    body = {"prompt": "dripping", "model": "gpt-image-2"}
    with sandbox.http.stream("POST", "/v1/images/generations", json=body) as answer:
        pieces = list(answer.iter_raw())
    assert len(pieces) >= 10
    assert json.loads(b"".join(pieces))["data"]
    until(lambda: sandbox.outcomes("dripping") == ["answered"])


async def test_a_read_timeout_does_not_end_a_drip(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "drip", "seconds": 2.5})
    timeout = httpx2.Timeout(2)
    async with sandbox.client() as client:
        answer = await client.images.generate(prompt="dripped", model="gpt-image-2", timeout=timeout)
    assert answer.data


def test_who_leaves_a_drip_has_paid(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "drip", "seconds": 60})
    with _send(sandbox, "left dripping") as connection:
        assert connection.recv(10)
    until(lambda: sandbox.outcomes("left dripping") == ["disconnected"])


async def test_a_truncated_answer_is_billed(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "truncate"})
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        await call(sandbox, "truncated")
    assert len(sandbox.billed("truncated")) == 1
    until(lambda: sandbox.outcomes("truncated") == ["truncated"])


async def test_empty_data(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "empty_data"})
    assert (await call(sandbox, "empty")).data == []
    assert len(sandbox.billed("empty")) == 1


async def test_no_usage(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "no_usage"})
    assert (await call(sandbox, "no usage")).usage is None
    assert sandbox.billed("no usage")[0]["billed_nano"] > 0


async def test_zero_usage(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "zero_usage"})
    usage = (await call(sandbox, "zero usage")).usage
    assert usage is not None
    assert (usage.total_tokens, usage.input_tokens_details.text_tokens) == (0, 0)
    assert sandbox.billed("zero usage")[0]["billed_nano"] > 0


async def test_fewer_images_cost_less(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "fewer_images"})
    answer = await call(sandbox, "fewer", n=3)
    assert answer.data is not None
    assert len(answer.data) == 2
    assert answer.usage is not None
    assert answer.usage.output_tokens == 2 * 196
    (entry,) = sandbox.billed("fewer")
    assert (entry["n"], entry["images"], entry["output_tokens"]) == (3, 2, 2 * 196)


@pytest.mark.parametrize(("asked", "sent"), [("png", "JPEG"), ("jpeg", "PNG"), ("webp", "PNG")])
async def test_wrong_mime(sandbox: Sandbox, asked: str, sent: str) -> None:
    sandbox.order_faults({"kind": "wrong_mime"})
    answer = await call(sandbox, "wrong format", output_format=asked)
    assert answer.output_format == asked
    assert answer.data is not None
    image = base64.b64decode(answer.data[0].b64_json or "")
    assert Image.open(io.BytesIO(image)).format == sent
    assert pattern.read(image) == pattern.of("wrong format")


async def test_url_instead(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "url_instead"})
    answer = await call(sandbox, "by address", output_format="webp")
    assert answer.data is not None
    assert answer.data[0].b64_json is None
    fetched = httpx2.get(answer.data[0].url or "", trust_env=False)
    assert fetched.headers["content-type"] == "image/webp"
    assert pattern.read(fetched.content) == pattern.of("by address")
    assert httpx2.get(f"{sandbox.url}/images/none", trust_env=False).status_code == 404


async def test_extra_fields(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "extra_fields"})
    answer = await call(sandbox, "extra")
    assert answer.data
    assert answer.model_extra
    assert "provenance" in answer.model_extra


def test_the_plan_can_be_seen_and_cleared(sandbox: Sandbox) -> None:
    fault = {"kind": "hang", "match": "nobody", "times": 2, "skip": 1, "probability": 0.5, "seconds": 3.0}
    fault |= {"endpoint": "edits", "status": 503}
    sandbox.order_faults(fault)
    assert sandbox.http.get("/_sandbox/faults").json() == [{**fault, "seen": 0, "hits": 0}]
    assert sandbox.http.delete("/_sandbox/faults").json() == []


def test_a_bad_plan_is_refused_and_changes_nothing(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "hang", "match": "nobody"})
    answer = sandbox.http.post("/_sandbox/faults", json=[{"kind": "unknown"}])
    assert answer.status_code == 400
    assert len(sandbox.http.get("/_sandbox/faults").json()) == 1
