"""Calls whose outcome can't be known are counted, and the books hold the provider's bill between them."""

from tests.acceptance.service import Json, Service, check_pictures, nano


def bought(kind: str, count: int) -> tuple[list[str], list[Json]]:
    prompts = [f"A lamp for {kind} {number}" for number in range(count)]
    items = [{"custom_id": f"{kind}-{number}", "prompt": prompt} for number, prompt in enumerate(prompts)]
    return prompts, items


async def test_billed_failures_are_written_off_and_bought_again(service: Service) -> None:
    prompts, items = bought("loss", 12)
    async with service.faults(
        {"kind": "reset_after_billing", "match": "for loss", "times": 2},
        {"kind": "error_500_billed", "match": "for loss", "times": 2},
        {"kind": "truncate", "match": "for loss", "times": 2},
        {"kind": "empty_data", "match": "for loss", "times": 2},
    ):
        job = await service.submit(items=items)
        status = await service.finished(job)
    ledger = await service.ledger(*prompts)
    results = await service.results(job)

    assert status["state"] == "completed"
    assert sum(ledger["calls"].values()) == 12 + 8
    settled, written_off = nano(status["cost"]["settled_usd"]), nano(status["cost"]["written_off_usd"])
    assert settled <= ledger["nano"] <= settled + written_off
    assert sum(a["outcome"] == "written_off" for result in results for a in result["attempts"]) == 8
    await check_pictures(service, results, {(i["custom_id"], None): i["prompt"] for i in items})


async def test_an_item_that_never_comes_back_is_bought_three_times_and_given_up(service: Service) -> None:
    prompts, items = bought("never", 1)
    async with service.faults({"kind": "error_500_billed", "match": "for never"}):
        job = await service.submit(items=items)
        status = await service.finished(job)
    (result,) = await service.results(job)
    ledger = await service.ledger(*prompts)

    assert status["state"] == "completed_with_errors"
    assert result["state"] == "failed"
    assert result["error"]["code"] == "unknown_outcome"
    assert sum(ledger["calls"].values()) == 3
    assert ledger["nano"] <= nano(status["cost"]["written_off_usd"])


async def test_what_was_not_billed_is_released_and_bought_once(service: Service) -> None:
    prompts, items = bought("free", 6)
    async with service.faults(
        {"kind": "rate_limit", "match": "for free", "times": 3, "seconds": 1},
    ):
        job = await service.submit(items=items)
        status = await service.finished(job)
    ledger = await service.ledger(*prompts)

    assert status["state"] == "completed"
    assert set(ledger["calls"].values()) == {1}
    assert nano(status["cost"]["settled_usd"]) == ledger["nano"]
    assert nano(status["cost"]["written_off_usd"]) == 0


async def test_an_account_in_trouble_holds_the_job_which_goes_on_by_itself(service: Service) -> None:
    prompts, items = bought("quota", 5)
    async with service.faults({"kind": "insufficient_quota", "match": "for quota"}):
        job = await service.submit(items=items)
        held = await service.until(job, lambda status: status["state"] == "held")
    status = await service.finished(job)
    ledger = await service.ledger(*prompts)

    assert held["hold"]["code"] == "insufficient_quota"
    assert held["items"]["failed"] == 0
    assert status["state"] == "completed"
    assert set(ledger["calls"].values()) == {1}


async def test_usage_that_says_nothing_charges_the_reservation(service: Service) -> None:
    prompts, items = bought("silence", 2)
    async with service.faults(
        {"kind": "no_usage", "match": "silence 0"}, {"kind": "zero_usage", "match": "silence 1"}
    ):
        job = await service.submit(items=items)
        status = await service.finished(job)
    results = await service.results(job)
    ledger = await service.ledger(*prompts)

    assert status["state"] == "completed"
    assert all(result["estimated"] for result in results)
    assert nano(status["cost"]["settled_usd"]) >= ledger["nano"]


async def test_cancelling_keeps_what_was_under_way_and_starts_nothing_more(service: Service) -> None:
    prompts, items = bought("cancel", 300)
    async with service.faults({"kind": "delay", "match": "for cancel", "seconds": 0.5}):
        job = await service.submit(items=items)
        await service.until(job, lambda status: status["items"]["succeeded"] > 0)
        answer = await service.ask("POST", f"/v1/jobs/{job}/cancel")
        status = await service.finished(job)
    ledger = await service.ledger(*prompts)
    results = await service.results(job)

    assert answer.status_code == 202
    assert status["state"] == "cancelled"
    assert status["items"]["cancelled"] > 0
    assert status["items"]["succeeded"] + status["items"]["cancelled"] == 300
    assert nano(status["cost"]["settled_usd"]) == ledger["nano"]
    assert len(results) == 300
    assert (await service.ask("POST", f"/v1/jobs/{job}/cancel")).status_code == 202
