"""What goes out, and what a receiver can do about it."""

import asyncio
import base64
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from ssrfguard import Policy
from standardwebhooks import Webhook, WebhookVerificationError

from imagemill.ports import Letter, Receipt
from imagemill.webhook_targets import TargetRules
from imagemill.webhooks.sender import GuardedSender, Resolver, signed_headers
from tests.fakes.receiver import receiver, says
from tests.unit.inputs.site import Names

SECRETS = [f"whsec_{base64.b64encode(bytes([n] * 32)).decode()}" for n in range(2)]
LETTER = Letter("evt_1", '{"type":"job.held","data":{"name":"Œuvre"}}'.encode(), SECRETS[:1])
ONE_HOST = Policy(
    allowed_networks=("127.0.0.1/32",),  # type: ignore[arg-type]
    allowed_ports=frozenset(range(1, 65536)),
)
"""One address of loopback is fine, so that others can stand for a private network."""


async def send(
    url: str,
    letter: Letter = LETTER,
    policy: Policy = ONE_HOST,
    *,
    resolver: Resolver | None = None,
    seconds: float = 20,
) -> Receipt:
    sender = GuardedSender(policy, seconds=seconds, at_once=4, resolver=resolver)
    try:
        return await sender.send(url, letter)
    finally:
        await sender.close()


# --- signing -------------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    letter = Letter(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    assert signed_headers(letter, datetime.fromtimestamp(1614265330, UTC)) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.sockets
async def test_what_arrives_is_verified_by_the_official_library() -> None:
    async with receiver(says(200)) as there:
        assert await send(there.url) == Receipt(status=200)
    ((headers, body),) = there.received
    assert Webhook(SECRETS[0]).verify(body, headers)["data"] == {"name": "Œuvre"}
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRETS[1]).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRETS[0]).verify(body.replace(b"held", b"gone"), headers)


@pytest.mark.sockets
async def test_every_secret_signs() -> None:
    async with receiver(says(204)) as there:
        await send(there.url, Letter(LETTER.event, LETTER.body, SECRETS))
    ((headers, body),) = there.received
    for secret in SECRETS:
        Webhook(secret).verify(body, headers)


# --- receivers -----------------------------------------------------------------------------------


@pytest.mark.sockets
async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with receiver(says(200)) as other, receiver(says(307, f"location: {other.url}")) as there:
        assert await send(there.url) == Receipt(status=307)
    assert other.received == []


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [(429, "7", 7), (503, "120", 120), (500, "7", None), (200, "7", None), (429, "soon", None)],
)
async def test_a_wait_that_is_asked_for_is_heard_with_the_statuses_that_mean_it(
    status: int, said: str, seconds: float | None
) -> None:
    async with receiver(says(status, f"retry-after: {said}")) as there:
        assert await send(there.url) == Receipt(status=status, retry_after=seconds)


@pytest.mark.sockets
async def test_a_wait_can_be_a_date() -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    async with receiver(says(503, f"retry-after: {then}")) as there:
        receipt = await send(there.url)
    assert receipt.retry_after is not None
    assert 0 < receipt.retry_after <= 3600


@pytest.mark.sockets
async def test_a_receiver_that_never_answers_is_given_up() -> None:
    closed = asyncio.Event()

    async def silent(_: asyncio.StreamWriter) -> None:
        await closed.wait()

    async with receiver(silent) as there:
        assert await send(there.url, seconds=0.3) == Receipt(problem="too_slow")
        closed.set()


@pytest.mark.sockets
async def test_a_receiver_that_drips_its_headers_is_given_up_by_the_deadline_of_the_whole() -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with receiver(dripping) as there:
        assert await send(there.url, seconds=0.5) == Receipt(problem="too_slow")


@pytest.mark.sockets
async def test_a_receiver_that_has_said_200_has_it_even_if_its_answer_never_ends() -> None:
    closed = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
        await writer.drain()
        await closed.wait()

    async with receiver(endless) as there:
        assert await send(there.url, seconds=0.5) == Receipt(status=200)
        closed.set()


@pytest.mark.sockets
async def test_of_a_huge_answer_only_the_beginning_is_read() -> None:
    ended = asyncio.Event()
    sent = 0

    async def huge(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536
        finally:
            ended.set()

    async with receiver(huge) as there:
        assert await send(there.url) == Receipt(status=200)
        await ended.wait()
    assert sent < 100 * 2**20


@pytest.mark.sockets
async def test_nobody_there() -> None:
    async with receiver(says(200)) as there:
        url = there.url
    assert await send(url) == Receipt(problem="unreachable")


@pytest.mark.sockets
async def test_no_address_gets_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.NOTSET)
    async with receiver(says(500)) as there:
        await send(there.url)
    assert "very-secret" not in caplog.text
    assert SECRETS[0] not in caplog.text


# --- addresses: nothing of this opens a socket -----------------------------------------------------


@pytest.mark.parametrize(
    "answer", [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"], ["::1"], ["93.184.216.34", "10.0.0.1"]]
)
async def test_a_name_that_leads_into_a_private_network_is_refused_at_the_attempt(answer: list[str]) -> None:
    rules, url = TargetRules(), "https://hooks.example.com/a"
    assert await rules.problem("t", url) is None  # fine when it was named
    assert await send(url, policy=rules.policy, resolver=Names(answer)) == Receipt(problem="address_refused")


@pytest.mark.sockets
async def test_each_attempt_looks_anew_and_calls_the_address_that_it_looked_at() -> None:
    names, closed = Names(["127.0.0.1"], ["127.0.0.2"]), asyncio.Event()

    async def stays(writer: asyncio.StreamWriter) -> None:
        await says(200)(writer)
        await closed.wait()

    async with receiver(stays) as there:
        url = f"http://hooks.example.com:{there.port}/"
        sender = GuardedSender(ONE_HOST, seconds=20, at_once=4, resolver=names)
        first, second = await sender.send(url, LETTER), await sender.send(url, LETTER)
        await sender.close()
        closed.set()
    assert first == Receipt(status=200)
    assert second == Receipt(problem="address_refused")
    assert len(there.received) == 1
