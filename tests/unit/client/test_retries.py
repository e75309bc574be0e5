"""What is sent again, and what never is."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from imagemill_client import (
    AuthenticationError,
    Conflict,
    ConnectionFailed,
    Gone,
    Imagemill,
    InvalidRequest,
    NotConfigured,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServiceError,
    ServiceUnavailable,
    Timeout,
    Unusable,
)
from imagemill_client.testing import FakeImagemill
from tests.unit.client.scripted import KEY, Scripted, problem

ITEMS = [{"custom_id": "1", "prompt": "A chair"}]
NEVER_SENT = [httpx2.ConnectError("x"), httpx2.ConnectTimeout("x"), httpx2.PoolTimeout("x")]
MAYBE_SENT = [
    httpx2.ReadError("x"),
    httpx2.WriteError("x"),
    httpx2.ReadTimeout("x"),
    httpx2.RemoteProtocolError("x"),
]


def accepted() -> httpx2.Response:
    with FakeImagemill().client() as client:
        status = client.jobs.submit(items=[{"custom_id": "1", "prompt": "A chair"}], budget="1.00").status
    return httpx2.Response(202, text=status.model_dump_json())


def name(error: object) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", [*NEVER_SENT, *MAYBE_SENT], ids=name)
def test_a_submission_is_sent_again_with_the_same_key_and_the_same_bytes(error: Exception) -> None:
    service = Scripted(error, problem(503), error, accepted())
    with service.client() as client:
        client.jobs.submit(items=[{"custom_id": "1", "prompt": "A chair"}], budget="1.00")

    assert len({request.headers["idempotency-key"] for request in service.asked}) == 1
    assert len({request.content for request in service.asked}) == 1
    assert len(service.asked) == 4


def test_two_submissions_have_two_keys_unless_the_caller_names_one() -> None:
    service = Scripted(accepted(), accepted(), accepted())
    with service.client() as client:
        for key in (None, None, "mine"):
            client.jobs.submit(items=[], budget="1.00", idempotency_key=key)

    first, second, third = (request.headers["idempotency-key"] for request in service.asked)
    assert first != second
    assert third == "mine"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_asked_again(status: int) -> None:
    service = Scripted(httpx2.Response(status), accepted())
    with service.client() as client:
        client.jobs.get("job_1")

    assert len(service.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 410, 413, 422, 500, 501])
def test_what_does_not_pass_is_asked_once(status: int) -> None:
    service = Scripted(problem(status))
    with service.client() as client, pytest.raises(ServiceError):
        client.jobs.get("job_1")

    assert service.waits == []


def test_the_service_has_the_last_word_on_whether_a_retry_helps() -> None:
    never = Scripted(problem(503, x_should_retry="false"))
    with never.client() as client, pytest.raises(ServiceUnavailable):
        client.jobs.get("job_1")
    always = Scripted(problem(500, x_should_retry="true"), accepted())
    with always.client() as client:
        client.jobs.get("job_1")


@pytest.mark.parametrize("error", MAYBE_SENT, ids=name)
def test_a_resume_that_may_have_arrived_is_not_sent_again(error: Exception) -> None:
    service = Scripted(error)
    with service.client() as client, pytest.raises(ConnectionFailed) as met:
        client.jobs.resume("job_1")

    assert met.value.maybe_done
    assert len(service.asked) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_resume_that_may_have_been_done_is_not_sent_again(status: int) -> None:
    service = Scripted(problem(status))
    with service.client() as client, pytest.raises(ServiceUnavailable):
        client.jobs.resume("job_1")


@pytest.mark.parametrize("error", [*NEVER_SENT, problem(429)], ids=name)
def test_a_resume_that_did_not_arrive_is_sent_again(error: Exception | httpx2.Response) -> None:
    service = Scripted(error, accepted())
    with service.client() as client:
        client.jobs.resume("job_1")

    assert len(service.asked) == 2


def test_a_wait_is_as_long_as_the_service_asks_for() -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    service = Scripted(problem(429, retry_after="7"), problem(503, retry_after=when), accepted())
    with service.client() as client:
        client.jobs.get("job_1")

    first, second = service.waits
    assert 7 <= first < 8
    assert 25 <= second < 31


def test_a_wait_that_is_too_long_is_the_callers_affair() -> None:
    service = Scripted(problem(429, retry_after="3600"))
    with service.client() as client, pytest.raises(RateLimited) as met:
        client.jobs.get("job_1")

    assert met.value.retry_after == 3600
    assert service.waits == []


def test_waits_grow_and_are_never_alike() -> None:
    service = Scripted(*[httpx2.ConnectError("x")] * 6)
    with service.client(max_retries=5) as client, pytest.raises(ConnectionFailed, match="asked 6 times"):
        client.jobs.get("job_1")

    for number, wait in enumerate(service.waits):
        assert 0.25 * 2**number <= wait <= 0.5 * 2**number
    assert len(set(service.waits)) == 5


def test_no_retries_are_none() -> None:
    service = Scripted(httpx2.ReadTimeout("x"))
    with service.client(max_retries=0) as client, pytest.raises(Timeout) as met:
        client.jobs.get("job_1")

    assert isinstance(met.value, TimeoutError)
    assert service.waits == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthenticationError),
        (403, PermissionDenied),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (413, InvalidRequest),
        (422, InvalidRequest),
        (500, ServiceUnavailable),
    ],
)
def test_an_error_is_what_the_caller_does_next(status: int, kind: type[ServiceError]) -> None:
    service = Scripted(
        problem(status, "the-slug", [("/items/0/prompt", "is empty"), ("/budget", "is missing")])
    )
    with service.client() as client, pytest.raises(kind) as met:
        client.jobs.get("job_1")

    assert met.value.status == status
    assert met.value.type == "/problems/the-slug"
    assert met.value.problems == (("/items/0/prompt", "is empty"), ("/budget", "is missing"))
    assert str(met.value) == "It is wrong: so; /items/0/prompt: is empty; /budget: is missing"


@pytest.mark.parametrize("body", ["<html>", "[]", '{"title": 3}', '{"error": "no"}', "", "[" * 100_000])
def test_an_error_of_something_else_is_told_as_such(body: str) -> None:
    service = Scripted(httpx2.Response(404, text=body))
    with service.client() as client, pytest.raises(NotFound, match="not Imagemill's"):
        client.jobs.get("job_1")


def test_an_error_whose_places_are_none_is_told() -> None:
    service = Scripted(httpx2.Response(404, json={"title": "No", "errors": 7}))
    with service.client() as client, pytest.raises(NotFound, match=r"^No$"):
        client.jobs.get("job_1")


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"id": 3}', "", "[" * 100_000])
def test_an_answer_of_something_else_is_told_as_such(body: str) -> None:
    service = Scripted(httpx2.Response(200, text=body))
    with service.client() as client, pytest.raises(Unusable, match="is the address right"):
        client.jobs.get("job_1")


def test_neither_repr_nor_error_shows_the_key() -> None:
    service = Scripted(httpx2.ConnectError(KEY))
    with service.client(max_retries=0) as client:
        with pytest.raises(ConnectionFailed) as met:
            client.jobs.get("job_1")
        shown = [repr(client), repr(client.jobs), repr(client._runner.core), str(met.value), repr(met.value)]

    assert not any(KEY in text for text in shown)


def test_the_environment_says_where_and_who(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGEMILL_URL", raising=False)
    monkeypatch.delenv("IMAGEMILL_API_KEY", raising=False)
    with pytest.raises(NotConfigured, match="IMAGEMILL_URL"):
        Imagemill()
    monkeypatch.setenv("IMAGEMILL_URL", "https://imagemill.test/v1/")
    with pytest.raises(NotConfigured, match="IMAGEMILL_API_KEY"):
        Imagemill()
    monkeypatch.setenv("IMAGEMILL_API_KEY", KEY)
    service = Scripted(accepted())
    with Imagemill(transport=service.transport) as client:
        client.jobs.get("a/b")

    assert str(service.asked[0].url) == "https://imagemill.test/v1/jobs/a%2Fb"
    assert service.asked[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("url", ["imagemill.test", "ftp://imagemill.test", "https://"])
def test_an_address_is_an_address(url: str) -> None:
    with pytest.raises(NotConfigured, match="base_url"):
        Imagemill(url, KEY)


async def test_the_asynchronous_shell_does_the_same() -> None:
    service = Scripted(httpx2.ReadError("x"), problem(503, retry_after="3"), accepted())
    async with service.async_client() as client:
        job = await client.jobs.submit(items=[], budget="1.00")

    assert job.id
    assert len({request.headers["idempotency-key"] for request in service.asked}) == 1
    assert len(service.waits) == 2


def test_a_float_is_no_sum() -> None:
    with Scripted().client() as client, pytest.raises(TypeError, match=r"25\.00"):
        client.jobs.submit(items=[], budget=0.1)  # type: ignore[arg-type]
