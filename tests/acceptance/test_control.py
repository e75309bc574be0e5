"""What somebody says to a running job: pause, go on, another priority; and items that are tried again."""

from collections import Counter

from tests.acceptance.service import Prompts, Service, check_pictures, nano


def lamps(word: str, count: int) -> Prompts:
    return {(f"{word}-{n}", None): f"A lamp, {word} {n}" for n in range(count)}


def as_items(prompts: Prompts) -> list[dict[str, str]]:
    return [{"custom_id": name, "prompt": prompt} for (name, _), prompt in prompts.items()]


async def test_a_paused_job_makes_no_call_while_others_do_and_then_buys_the_rest_once(
    service: Service,
) -> None:
    prompts, other = lamps("paused", 150), lamps("beside", 3)
    async with service.faults({"kind": "delay", "seconds": 1.0, "match": "paused"}):
        job = await service.submit(items=as_items(prompts))
        await service.until(job, lambda status: status["items"]["succeeded"] > 0)
        answer = await service.ask("POST", f"/v1/jobs/{job}/pause")
        assert (answer.status_code, answer.json()["state"]) in {(202, "pausing"), (202, "paused")}
        paused = await service.until(job, lambda status: status["state"] == "paused")
        made = await service.ledger(*prompts.values())
        assert (await service.finished(await service.submit(items=as_items(other))))["state"] == "completed"

        assert await service.ledger(*prompts.values()) == made
        assert sum(made["calls"].values()) == paused["items"]["succeeded"] < 150
        assert nano(paused["cost"]["settled_usd"]) == nano(paused["cost"]["committed_usd"]) == made["nano"]
        assert (await service.ask("PATCH", f"/v1/jobs/{job}", json={"priority": 1})).status_code == 202
        assert (await service.ask("POST", f"/v1/jobs/{job}/resume")).status_code == 202
        status = await service.finished(job)

    assert (status["state"], status["priority"]) == ("completed", 1)
    bought = await service.ledger(*prompts.values())
    assert set(bought["calls"].values()) == {1}
    assert nano(status["cost"]["settled_usd"]) == bought["nano"]


async def test_a_retry_buys_what_failed_and_nothing_else(service: Service) -> None:
    prompts = lamps("again", 4)
    prompts["again-0", None] += " forbidden-input"
    async with service.faults({"kind": "content_policy", "match": "again 1"}):
        job = await service.submit(name="spring", items=as_items(prompts))
        status = await service.finished(job)
    assert Counter(result["state"] for result in await service.results(job)) == {"succeeded": 2, "blocked": 2}

    body = {"states": ["blocked", "failed"], "budget": {"limit_usd": "5.00"}}
    headers = {"Idempotency-Key": "again-once"}
    answers = [
        await service.ask("POST", f"/v1/jobs/{job}/retry", json=body, headers=headers) for _ in range(2)
    ]
    child = answers[0].json()["id"]
    assert [answer.status_code for answer in answers] == [202, 200]
    assert answers[1].json()["id"] == child

    status = await service.finished(child)
    results = await service.results(child)
    assert (status["retry_of"], status["name"], status["items"]["total"]) == (job, "spring", 2)
    assert {result["custom_id"]: result["state"] for result in results} == {
        "again-0": "blocked",
        "again-1": "succeeded",
    }
    await check_pictures(service, results, prompts)
    assert set((await service.ledger(*prompts.values()))["calls"].values()) == {1}
