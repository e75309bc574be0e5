"""How many requests a key may send, by a clock that stands still until it is moved."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from api.app import make_app
from api.context import Context
from api.keys import Keyring
from api.rate import RateLimits, burst_of
from imagemill.tenants import Tenants
from tests.unit.api.bodies import BODY, KEY

OWN = "im_own_0123456789abcdef"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(("per_minute", "burst"), [(1, 10), (60, 10), (120, 10), (240, 20), (6000, 500)])
def test_a_burst_is_of_five_seconds_and_of_ten_at_least(clock: Clock, per_minute: int, burst: int) -> None:
    limits = RateLimits(clock)
    taken = [limits.take("k", per_minute).taken for _ in range(burst + 5)]

    assert burst_of(per_minute) == burst
    assert taken == [True] * burst + [False] * 5


@pytest.mark.parametrize("per_minute", [1, 7, 60, 600, 999_999])
def test_in_the_long_run_it_is_so_many_a_minute(clock: Clock, per_minute: int) -> None:
    limits, taken = RateLimits(clock), 0
    minutes = 3 if per_minute < 10_000 else 0.01
    steps = 3_000
    for _ in range(steps):
        while limits.take("k", per_minute).taken:
            taken += 1
        clock.seconds += minutes * 60 / steps

    assert taken == pytest.approx(burst_of(per_minute) + per_minute * minutes, abs=1 + per_minute * 0.001)


def test_what_is_refused_costs_nothing_and_the_wait_that_is_told_is_the_true_one(clock: Clock) -> None:
    limits = RateLimits(clock)
    for _ in range(10):
        limits.take("k", 20)
    refused = [limits.take("k", 20) for _ in range(50)]

    assert {(left.taken, left.requests, left.wait) for left in refused} == {(False, 0, 3)}
    clock.seconds += 2.9
    assert not limits.take("k", 20).taken
    clock.seconds += 0.1
    assert limits.take("k", 20).taken
    assert not limits.take("k", 20).taken


def test_each_key_has_its_own(clock: Clock) -> None:
    limits = RateLimits(clock)
    for _ in range(11):
        limits.take("k", 60)

    assert not limits.take("k", 60).taken
    assert limits.take("l", 60).requests == 9


def test_a_limit_that_was_changed_counts_at_once(clock: Clock) -> None:
    limits = RateLimits(clock)
    for _ in range(10):
        limits.take("k", 60)
    assert not limits.take("k", 60).taken

    assert limits.take("k", 6000).next_in == pytest.approx(0.01)
    clock.seconds += 0.01
    assert limits.take("k", 6000).taken


def test_only_so_many_keys_are_remembered_those_of_late(clock: Clock) -> None:
    limits = RateLimits(clock, most_keys=3)
    for key in ("a", "b", "c", "a", "d", "e"):
        limits.take(key, 60)

    assert list(limits._full_at) == ["a", "d", "e"]


# --- on answers ----------------------------------------------------------------------------------


@pytest.fixture
async def limited(parts: Context, clock: Clock, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """The application, where tenant t may send 12 requests a minute with each key, and others any number."""
    path = tmp_path / "tenants.toml"
    digest = hashlib.sha256(OWN.encode()).hexdigest()
    path.write_text(
        "[tenants.t]\nrequests_per_minute = 12\n"
        f'[[tenants.free.keys]]\nid = "own"\nsha256 = "{digest}"\nscopes = ["read", "submit"]\n'
    )
    tenants = Tenants(path)
    app = make_app(replace(parts, tenants=tenants, keys=Keyring(tenants, KEY, "t"), rates=RateLimits(clock)))
    headers = {"authorization": f"Bearer {KEY}"}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
        yield http


POLICY = '"minute";q=12;w=60, "burst";q=10;w=50'


async def test_every_answer_says_the_policy_and_what_is_left(limited: httpx2.AsyncClient) -> None:
    submitted = await limited.post("/v1/jobs", json=BODY)
    job = submitted.json()["id"]
    answers = [
        submitted,
        await limited.get(f"/v1/jobs/{job}"),
        await limited.get("/v1/jobs/job_1"),
        await limited.post("/v1/jobs", json={}),
        await limited.get(f"/v1/jobs/{job}/results"),
    ]

    assert [answer.status_code for answer in answers] == [202, 200, 404, 422, 200]
    assert [answer.headers["ratelimit-policy"] for answer in answers] == [POLICY] * 5
    assert [answer.headers["ratelimit"] for answer in answers] == [
        f'"burst";r={left};t=5' for left in (9, 8, 7, 6, 5)
    ]


async def test_too_many_are_answered_429_with_the_time_to_wait(
    limited: httpx2.AsyncClient, clock: Clock
) -> None:
    for _ in range(10):
        assert (await limited.get("/v1/jobs/job_1")).status_code == 404
    refused = await limited.get("/v1/jobs/job_1")

    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/rate-limited")
    assert (refused.headers["retry-after"], refused.headers["ratelimit"]) == ("5", '"burst";r=0;t=5')
    assert "x-should-retry" not in refused.headers
    clock.seconds += int(refused.headers["retry-after"])
    assert (await limited.get("/v1/jobs/job_1")).status_code == 404


async def test_what_is_not_allowed_counts_too_and_a_wrong_key_counts_for_nobody(
    limited: httpx2.AsyncClient,
) -> None:
    wrong = await limited.get("/v1/jobs/job_1", headers={"authorization": f"Bearer {KEY}x"})
    assert (wrong.status_code, "ratelimit" in wrong.headers) == (401, False)

    assert (await limited.get("/v1/jobs/job_1")).headers["ratelimit"] == '"burst";r=9;t=5'


async def test_a_key_without_a_limit_is_not_counted(limited: httpx2.AsyncClient) -> None:
    for _ in range(50):
        answer = await limited.get("/v1/jobs/job_1", headers={"authorization": f"Bearer {OWN}"})
        assert (answer.status_code, "ratelimit-policy" in answer.headers) == (404, False)


async def test_health_takes_no_key_and_is_not_counted(limited: httpx2.AsyncClient) -> None:
    for _ in range(20):
        assert (await limited.get("/healthz")).status_code == 200
    assert (await limited.get("/v1/jobs/job_1")).headers["ratelimit"] == '"burst";r=9;t=5'
