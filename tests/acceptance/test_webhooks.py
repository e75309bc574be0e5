"""Events on the whole stack: signed, at least once, and never before what they speak of can be read."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx2
import pytest
from standardwebhooks import Webhook

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import ENDED, Json, Service
from tests.acceptance.test_histories import history
from tests.fakes.receiver import Receiver, receiver, says

EVENTS = ["job.running", "job.progress", "job.held", "job.completed", "job.failed", "job.cancelled"]
TOKEN = "zanzibar-token"
"""In the address of every receiver, and nowhere else."""


@pytest.fixture(scope="module")
async def telling(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[Service]:
    """A stack that may call receivers on loopback, and tries again soon."""
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("webhooks"),
        speed=0.0,
        extra_env=QUICK
        | {
            "IMAGEMILL_WEBHOOKS_ALLOW_HTTP": "true",
            "IMAGEMILL_WEBHOOKS_ALLOW_PRIVATE": "true",
            "IMAGEMILL_WEBHOOKS_WAITS": "[0, 0.2, 0.2, 1, 1, 2, 2, 5]",
        },
    )
    async with LocalStack(options) as stack:
        yield Service(stack, http)


@dataclass
class Inbox:
    """What a receiver got, each event verified and held against what can be read at that moment."""

    service: Service
    secret: str
    events: list[tuple[str, Json]] = field(default_factory=list)
    readable: list[Json] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def take(self, there: Receiver, writer: asyncio.StreamWriter) -> None:
        headers, body = there.received[-1]
        try:
            event = Webhook(self.secret).verify(body, headers)
            self.readable.append(await self.service.status(event["data"]["id"]))
            self.events.append((headers["webhook-id"], event))
        except Exception as error:  # noqa: BLE001
            self.failures.append(repr(error))
        await says(200)(writer)

    def kinds(self, job: str) -> list[str]:
        return [event["type"] for _, event in self.events if event["data"]["id"] == job]


async def secret_of(service: Service) -> str:
    return str((await service.ask("GET", "/v1/webhooks/secret")).json()["secret"])


async def submit(service: Service, there: Receiver, items: int = 3, **more: object) -> str:
    said = [{"custom_id": f"i-{n}", "prompt": f"A lamp {n}"} for n in range(items)]
    url = f"http://127.0.0.1:{there.port}/hook/{TOKEN}?token={TOKEN}"
    webhook = {"url": url, "events": EVENTS}
    return await service.submit(**({"items": said, "webhook": webhook} | more))


async def deliveries(service: Service, job: str, **query: str) -> list[Json]:
    answer = await service.ask("GET", "/v1/webhooks/deliveries", params={"job": job} | query)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["data"]
    return found


async def all_in(service: Service, job: str, state: str, seconds: float = 60) -> list[Json]:
    """The deliveries of a job that has ended, once all of them stand there."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                found = await deliveries(service, job)
            except (httpx2.TransportError, AssertionError):
                found = []
            told = any(each["type"] in ("job.completed", "job.cancelled", "job.failed") for each in found)
            if told and {each["state"] for each in found} == {state}:
                return found
            await asyncio.sleep(0.1)


async def test_no_event_comes_before_what_it_speaks_of_can_be_read(telling: Service) -> None:
    inbox = Inbox(telling, await secret_of(telling))
    async with receiver(says(200)) as there:
        there.answer = lambda writer: inbox.take(there, writer)
        jobs = [await submit(telling, there, items) for items in (1, 2, 12)]
        held = await submit(telling, there, 6, budget={"limit_usd": "0.02", "on_exhausted": "hold"})
        await telling.until(held, lambda _: "job.held" in inbox.kinds(held))
        await telling.set_budget(held, limit_usd="5.00")
        for job in [*jobs, held]:
            await telling.finished(job)
            await all_in(telling, job, "delivered")
    assert inbox.failures == []
    for (_, event), status in zip(inbox.events, inbox.readable, strict=True):
        said = event["data"]
        if event["type"] == "job.completed":
            assert (said["state"], said["items"]) == (status["state"], status["items"])
            assert said["cost"]["settled_usd"] == status["cost"]["settled_usd"]
        elif event["type"] == "job.held":  # nothing but what waits for this event ends the hold
            assert (status["state"], status["hold"]["code"]) == ("held", said["hold"]["code"])
        else:
            assert status["state"] in ("running", "held", *ENDED)
        done = ("succeeded", "blocked", "failed", "skipped", "cancelled")
        assert all(status["items"][name] >= said["items"][name] for name in done), (event, status)
    for job in [*jobs, held]:
        assert inbox.kinds(job).count("job.completed") == 1
    assert "job.held" in inbox.kinds(held)
    ids = [event_id for event_id, _ in inbox.events]
    assert len(set(ids)) == len(ids)


async def test_the_log_and_the_histories_hold_no_address_and_no_secret(telling: Service) -> None:
    async with receiver(says(500)) as there:
        job = await submit(telling, there)
        await telling.finished(job)
        found = await all_in(telling, job, "failed")
        secret = await secret_of(telling)
    written = "".join(
        [await history(telling, each) for each in (job, *(f"webhook/{each['id']}" for each in found))]
    )
    assert "webhook.deliver" in written
    assert "webhook.emit" in written
    shown = (await telling.ask("GET", "/v1/webhooks/deliveries")).text
    logs = "".join(telling.stack.log(part).read_text() for part in ("worker-1", "api"))
    assert "worker ready" in logs
    for text in (written, shown, logs):
        assert TOKEN not in text
        assert secret not in text
    assert all(len(each["attempts"]) == 8 for each in found)
    assert {attempt["status"] for each in found for attempt in each["attempts"]} == {500}


async def test_a_worker_killed_between_sending_and_recording_delivers_the_same_event_again(
    telling: Service,
) -> None:
    arrived, dead = asyncio.Event(), asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await dead.wait()
        await says(200)(writer)

    async with receiver(wait) as there:
        url = f"http://127.0.0.1:{there.port}/"
        job = await submit(telling, there, webhook={"url": url, "events": ["job.completed"]})
        await asyncio.wait_for(arrived.wait(), 60)
        await telling.stack.kill("worker-1")
        dead.set()
        await telling.stack.start_part("worker-1")
        (delivery,) = await all_in(telling, job, "delivered")
    assert len(there.received) == 2
    assert {headers["webhook-id"] for headers, _ in there.received} == {delivery["id"]}
    assert len({body for _, body in there.received}) == 1


async def test_workers_killed_while_jobs_tell_lose_no_event(telling: Service) -> None:
    async with receiver(says(200)) as there:
        jobs = [await submit(telling, there, 8) for _ in range(3)]
        for _ in range(2):
            await telling.stack.kill("worker-1")
            await telling.stack.start_part("worker-1")
        for job in jobs:
            await telling.finished(job)
            await all_in(telling, job, "delivered")
    sent = {headers["webhook-id"] for headers, _ in there.received}
    for job in jobs:
        known = await deliveries(telling, job)
        assert {each["id"] for each in known} <= sent
        assert {"job.running", "job.completed"} <= {each["type"] for each in known}


async def test_slow_receivers_stop_nothing_but_themselves(telling: Service) -> None:
    open_again = asyncio.Event()

    async def stuck(writer: asyncio.StreamWriter) -> None:
        await open_again.wait()
        await says(200)(writer)

    async with receiver(stuck) as slow, receiver(says(200)) as quick:
        waiting = [await submit(telling, slow, 1) for _ in range(12)]
        other = f"http://localhost:{quick.port}/"
        job = await submit(telling, quick, 3, webhook={"url": other})
        await telling.finished(job)
        await all_in(telling, job, "delivered", seconds=15)
        for each in waiting:
            await telling.finished(each)
        open_again.set()
        settled = [await all_in(telling, each, "delivered", seconds=120) for each in waiting]
    attempts = [attempt for job in settled for each in job for attempt in each["attempts"]]
    made = [attempt for attempt in attempts if attempt["problem"] != "receiver_busy"]
    assert len(slow.received) == len(made)


async def test_a_receiver_that_is_gone_is_left_alone_until_it_takes_a_redelivery(telling: Service) -> None:
    async with receiver(says(410)) as there:
        url = f"http://127.0.0.1:{there.port}/"
        webhook = {"url": url, "events": ["job.completed"]}
        first = await submit(telling, there, webhook=webhook)
        await telling.finished(first)
        (gone,) = await all_in(telling, first, "disabled")
        second = await submit(telling, there, webhook=webhook)
        assert any("410" in warning for warning in (await telling.status(second))["warnings"])
        await telling.finished(second)
        (unsent,) = await all_in(telling, second, "disabled")
        assert len(there.received) == 1
        assert unsent["attempts"] == []
        listed = (await telling.ask("GET", "/v1/webhooks/targets/disabled")).json()["data"]
        assert gone["id"] in [each["event"] for each in listed]

        there.answer = says(200)
        for delivery in (unsent, gone):
            again = await telling.ask("POST", f"/v1/webhooks/deliveries/{delivery['id']}/redeliver")
            assert again.status_code == 202
        await all_in(telling, second, "delivered")
        await all_in(telling, first, "delivered")
        listed = (await telling.ask("GET", "/v1/webhooks/targets/disabled")).json()["data"]
        assert gone["id"] not in [each["event"] for each in listed]
    assert [headers["webhook-id"] for headers, _ in there.received[:1]] == [gone["id"]]


async def test_a_wrong_address_is_mended_and_its_events_follow(telling: Service) -> None:
    async with receiver(says(307, "location: https://example.com/")) as wrong, receiver(says(200)) as right:
        url = f"http://127.0.0.1:{wrong.port}/"
        job = await submit(telling, wrong, webhook={"url": url, "events": ["job.completed"]})
        await telling.finished(job)
        (failed,) = await all_in(telling, job, "failed")
        assert {each["problem"] for each in failed["attempts"]} == {"redirected"}
        change = {"webhook": {"url": f"http://127.0.0.1:{right.port}/"}}
        assert (await telling.ask("PATCH", f"/v1/jobs/{job}", json=change)).status_code == 202
        await telling.ask("POST", f"/v1/webhooks/deliveries/{failed['id']}/redeliver")
        await all_in(telling, job, "delivered")
    assert [headers["webhook-id"] for headers, _ in right.received] == [failed["id"]]


async def test_while_a_secret_rotates_both_sign(telling: Service) -> None:
    old, own = await secret_of(telling), "whsec_" + base64.b64encode(b"r" * 32).decode()
    rotated = await telling.ask("POST", "/v1/webhooks/secret/rotate", json={"secret": own})
    assert rotated.status_code == 200
    async with receiver(says(200)) as there:
        job = await submit(telling, there, 1)
        await telling.finished(job)
        await all_in(telling, job, "delivered")
    for headers, body in there.received:
        for secret in (old, own):
            assert Webhook(secret).verify(body, headers) == json.loads(body)


async def test_private_receivers_are_refused_unless_they_are_allowed(service: Service) -> None:
    item = {"custom_id": "a", "prompt": "x"}
    for url in ("http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://example.com:81/"):
        body = {"items": [item], "budget": {"limit_usd": "1.00"}, "webhook": {"url": url}}
        answer = await service.ask("POST", "/v1/jobs", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/webhook/url"
