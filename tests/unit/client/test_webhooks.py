"""Webhooks are verified as Standard Webhooks says, and as its own library does."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from imagemill.domain.job import Hold
from imagemill.domain.webhooks import Notice, body_of
from imagemill_client import InvalidSignature, NotConfigured
from imagemill_client.testing import FakeEvent, FakeImagemill
from imagemill_client.webhooks import sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 byt").decode()
NOW = 1_800_000_000


def event(secret: str = SECRET, **said: Any) -> tuple[bytes, dict[str, str]]:
    """An event of the service's own making, signed by the library that it signs with."""
    notice = Notice(
        type="job.completed", number=1, at=datetime(2027, 1, 15, tzinfo=UTC), state="completed", **said
    )
    body = body_of("job_1", notice)
    signature = Webhook(secret).sign("evt_1", datetime.fromtimestamp(NOW, UTC), body.decode())
    return body, {"webhook-id": "evt_1", "webhook-timestamp": str(NOW), "webhook-signature": signature}


def test_the_vector_of_the_standard() -> None:
    signature = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_event_of_the_service_is_read() -> None:
    body, headers = event(items=3, name="spring", settled_nano=13_100_000)
    told = verify(body, headers, SECRET, clock=lambda: NOW)

    assert (told.id, told.type, told.data.id, told.data.state) == (
        "evt_1",
        "job.completed",
        "job_1",
        "completed",
    )
    assert str(told.data.cost.settled_usd) == "0.0131"
    assert told.data.ended


def test_a_hold_is_read() -> None:
    hold = Hold(code="budget", since=datetime(2027, 1, 15, tzinfo=UTC), smallest_nano=46_200_000)
    notice = Notice(type="job.held", number=1, at=hold.since, state="held", hold=hold)
    body = body_of("job_1", notice)
    headers = {
        "webhook-id": "e",
        "webhook-timestamp": str(NOW),
        "webhook-signature": sign(SECRET, "e", NOW, body),
    }
    told = verify(body, headers, SECRET, clock=lambda: NOW)

    assert told.data.hold
    assert (told.data.hold.code, str(told.data.hold.smallest_usd)) == ("budget", "0.0462")


@pytest.mark.parametrize(
    "secrets", [[SECRET], [OTHER, SECRET], (SECRET, OTHER), SECRET.removeprefix("whsec_")]
)
def test_one_secret_that_fits_is_enough(secrets: Any) -> None:
    body, headers = event()
    verify(body, headers, secrets, clock=lambda: NOW)


def test_one_signature_that_fits_is_enough_and_headers_have_any_case() -> None:
    body, headers = event()
    headers["webhook-signature"] = f"v1a,abc v2,def v1,Zm9v {headers['webhook-signature']} v1,"
    verify(body.decode(), {name.title(): value for name, value in headers.items()}, SECRET, clock=lambda: NOW)


@pytest.mark.parametrize("away", [-301, 301])
def test_what_is_too_old_or_too_early_is_refused(away: int) -> None:
    body, headers = event()
    verify(body, headers, SECRET, clock=lambda: NOW + away / 302 * 300)
    verify(body, headers, SECRET, clock=lambda: NOW + away, tolerance=400)
    with pytest.raises(InvalidSignature, match="too long ago"):
        verify(body, headers, SECRET, clock=lambda: NOW + away)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "evt_2"},
        {"webhook-timestamp": str(NOW + 1)},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": f"{NOW}.0"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,bm90IGl0"},
        {"webhook-signature": "v1,é"},
    ],
    ids=str,
)
def test_another_header_is_refused(change: dict[str, str]) -> None:
    body, headers = event()
    with pytest.raises(InvalidSignature):
        verify(body, headers | change, SECRET, clock=lambda: NOW)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_missing_is_named(missing: str) -> None:
    body, headers = event()
    del headers[missing]
    with pytest.raises(InvalidSignature, match=missing):
        verify(body, headers, SECRET, clock=lambda: NOW)


def test_another_body_or_secret_is_refused() -> None:
    body, headers = event()
    with pytest.raises(InvalidSignature):
        verify(body.replace(b"job_1", b"job_2"), headers, SECRET, clock=lambda: NOW)
    with pytest.raises(InvalidSignature):
        verify(body, headers, OTHER, clock=lambda: NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b'{"type": 3}', b"\xff"])
def test_what_is_signed_and_no_event_is_refused(body: bytes) -> None:
    headers = {
        "webhook-id": "e",
        "webhook-timestamp": str(NOW),
        "webhook-signature": sign(SECRET, "e", NOW, body),
    }
    with pytest.raises(InvalidSignature, match="no event"):
        verify(body, headers, SECRET, clock=lambda: NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", "not base64 é", []])
def test_what_is_no_secret_says_so_and_is_not_repeated(secret: Any) -> None:
    body, headers = event()
    with pytest.raises(NotConfigured) as met:
        verify(body, headers, secret, clock=lambda: NOW)
    assert not secret or str(secret) not in str(met.value).replace("whsec_ and", "")


def told_by_the_fake() -> tuple[FakeImagemill, FakeEvent]:
    fake = FakeImagemill()
    with fake.client() as client:
        hook = {"url": "https://shop.test/hooks"}
        job = client.jobs.submit(
            items=[{"custom_id": "1", "prompt": "A chair"}],
            budget="1.00",
            webhook=hook,  # type: ignore[arg-type]
        )
        job.wait()
    (sent,) = fake.events
    return fake, sent


def test_the_fakes_events_pass_the_librarys_verification_and_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, sent = told_by_the_fake()
    said = Webhook(fake.secrets.current)
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", _FixedClock(fake.now))

    assert said.verify(sent.body, sent.headers) == json.loads(sent.body)
    with pytest.raises(WebhookVerificationError):
        said.verify(sent.body + b" ", sent.headers)
    told = verify(sent.body, sent.headers, fake.secrets.current, clock=fake.now.timestamp)
    assert told.type == "job.completed"
    assert told.data.items.succeeded == 1


class _FixedClock:
    """In the place of the library's `datetime`, which knows no other clock."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self, tz: Any = None) -> datetime:
        return self._now

    def __getattr__(self, name: str) -> Any:
        return getattr(datetime, name)


def test_while_a_secret_rotates_both_sign() -> None:
    fake = FakeImagemill()
    with fake.client() as client:
        job = client.jobs.submit(items=[{"custom_id": "1", "prompt": "A chair"}], budget="1.00")
        old = client.webhooks.secret().secret
        new = client.webhooks.rotate_secret().secret
        both = fake.event(job)
        client.webhooks.rotate_secret(secret=SECRET, keep_old_hours=0)
        one = fake.event(job, "job.running")

    for secret in (old, new):
        verify(both.body, both.headers, secret, clock=fake.now.timestamp)
        with pytest.raises(InvalidSignature):
            verify(one.body, one.headers, secret, clock=fake.now.timestamp)
    verify(one.body, one.headers, SECRET, clock=fake.now.timestamp)
    assert old not in repr(fake.secrets)
