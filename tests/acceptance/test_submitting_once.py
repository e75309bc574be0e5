"""One submission is one job, whatever the client repeats."""

import asyncio

from tests.acceptance.service import SMALL, Service


def body(word: str) -> dict[str, object]:
    items = [{"custom_id": "only", "prompt": f"A broom, {word}"}]
    return {"defaults": SMALL, "items": items, "budget": {"limit_usd": "1.00"}}


async def test_a_hundred_duplicates_at_once_are_one_job(service: Service) -> None:
    key = {"Idempotency-Key": "hundred"}
    answers = await asyncio.gather(
        *(service.ask("POST", "/v1/jobs", json=body("hundred"), headers=key) for _ in range(100))
    )

    assert {answer.status_code for answer in answers} == {200, 202}
    (job,) = {answer.json()["id"] for answer in answers}
    await service.finished(job)
    assert sum((await service.ledger("A broom, hundred"))["calls"].values()) == 1


async def test_five_submissions_alike_without_a_key_are_five_jobs(service: Service) -> None:
    answers = await asyncio.gather(*(service.ask("POST", "/v1/jobs", json=body("five")) for _ in range(5)))

    jobs = {answer.json()["id"] for answer in answers}
    assert len(jobs) == 5
    for job in jobs:
        await service.finished(job)
    assert sum((await service.ledger("A broom, five"))["calls"].values()) == 5


async def test_another_body_under_the_same_key_is_refused(service: Service) -> None:
    key = {"Idempotency-Key": "other-body"}
    first = await service.ask("POST", "/v1/jobs", json=body("one"), headers=key)
    second = await service.ask("POST", "/v1/jobs", json=body("two"), headers=key)

    assert (first.status_code, second.status_code) == (202, 422)
    assert second.json()["type"] == "/problems/idempotency-key-reused"


async def test_an_sdk_that_tries_again_without_a_key_finds_its_job(service: Service) -> None:
    first = [await service.ask("POST", "/v1/jobs", json=body("again")) for _ in range(3)]
    again = [
        await service.ask("POST", "/v1/jobs", json=body("again"), headers={"x-stainless-retry-count": "1"})
        for _ in range(4)
    ]

    made = {answer.json()["id"] for answer in first}
    found = [answer.json()["id"] for answer in again]
    assert len(made) == 3, "three identical submissions without a key are three jobs"
    assert set(found[:3]) == made, "each of them is given to one client that tries again"
    assert found[3] not in made, "a fourth was never made before"
