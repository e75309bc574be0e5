"""Caps, holds and receipts, as a caller sees them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from imagemill.domain.catalogue import NOTICE, Catalogue
from tests.acceptance.service import SMALL, Json, Service, nano

ITEMS = 30
FOR_TEN = Decimal("10.5")
"""Times what an item costs at most: a cap that leaves money for ten of them, or a few more."""


def wanted(word: str, count: int = ITEMS) -> tuple[list[str], list[Json]]:
    """Prompts, and the items with them."""
    prompts = [f"A teapot for {word} {number:02d}" for number in range(count)]
    return prompts, [{"custom_id": f"{word}-{n}", "prompt": prompt} for n, prompt in enumerate(prompts)]


async def cost_of_one(service: Service, items: list[Json]) -> Decimal:
    """What one of these items costs at most, in US dollars; they are alike."""
    estimate = (await service.validate(items=items))["estimate"]
    return Decimal(estimate["high_usd"]) / len(items)


async def refused(service: Service, **submission: object) -> dict[str, str]:
    """The problems of a submission that must be refused, by their pointers."""
    body = {"defaults": SMALL, "budget": {"limit_usd": "1.00"}, "items": wanted("refusal", 1)[1]} | submission
    answer = await service.ask("POST", "/v1/jobs", json=body)
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


# --- the cap of a job ----------------------------------------------------------------------------


async def test_a_cap_that_bites_skips_what_it_leaves_no_money_for(service: Service) -> None:
    prompts, items = wanted("skipping")
    each = await cost_of_one(service, items)
    cap = each * FOR_TEN

    job = await service.submit(items=items, budget={"limit_usd": f"{cap:f}", "on_exhausted": "skip"})
    status = await service.finished(job)
    results = await service.results(job)
    ledger = await service.ledger(*prompts)

    assert status["state"] == "completed_with_errors"
    assert 10 <= status["items"]["succeeded"] < ITEMS
    assert status["items"]["succeeded"] + status["items"]["skipped"] == ITEMS
    skipped = [result for result in results if result["state"] == "skipped"]
    assert all(result["error"]["code"] == "budget_exhausted" for result in skipped)
    assert all(result["attempts"] == [] for result in skipped)
    # What is left would not have paid for another one.
    assert nano(f"{cap - each:f}") < ledger["nano"] <= nano(f"{cap:f}")


async def test_a_cap_that_bites_holds_the_job_until_it_is_raised(service: Service) -> None:
    prompts, items = wanted("holding")
    each = await cost_of_one(service, items)
    cap = each * FOR_TEN

    job = await service.submit(items=items, budget={"limit_usd": f"{cap:f}"})
    held = await service.until(job, lambda status: status["state"] == "held")
    before = await service.ledger(*prompts)
    raised = await service.set_budget(job, limit_usd="100.00")
    status = await service.finished(job)
    after = await service.ledger(*prompts)

    waiting = ITEMS - held["items"]["succeeded"]
    assert held["hold"]["code"] == "budget"
    assert held["items"]["pending"] == waiting > 0
    # With so much more there would be enough for one item, and with so much more likely for all.
    assert 0 < Decimal(held["hold"]["smallest_usd"]) <= each
    left = cap - Decimal(held["cost"]["committed_usd"])
    assert Decimal(held["hold"]["smallest_usd"]) == each - left
    assert each * (waiting - 2) < Decimal(held["hold"]["likely_usd"]) < each * waiting
    assert before["nano"] == nano(held["cost"]["settled_usd"]) <= nano(f"{cap:f}")
    assert raised["cost"]["limit_usd"] == "100.00"
    assert status["state"] == "completed"
    assert set(after["calls"].values()) == {1}
    assert nano(status["cost"]["settled_usd"]) == after["nano"]


async def test_a_cap_below_what_is_spent_stops_all_calls(service: Service) -> None:
    prompts, items = wanted("lowering", 200)
    async with service.faults({"kind": "delay", "match": "for lowering", "seconds": 0.5}):
        job = await service.submit(items=items)
        await service.until(job, lambda status: status["items"]["succeeded"] > 0)
        await service.set_budget(job, limit_usd="0.01")
        held = await service.until(job, lambda status: status["state"] == "held")
    at_hold = await service.ledger(*prompts)
    resumed = await service.ask("POST", f"/v1/jobs/{job}/resume")
    again = await service.until(job, lambda status: status["state"] == "held")
    still = await service.ledger(*prompts)
    await service.set_budget(job, limit_usd="100.00")
    status = await service.finished(job)
    after = await service.ledger(*prompts)

    assert held["hold"]["code"] == "budget"
    assert held["items"]["running"] == 0
    assert held["items"]["pending"] > 0
    assert nano(held["cost"]["settled_usd"]) == nano(held["cost"]["committed_usd"]) == at_hold["nano"]
    assert at_hold["nano"] > nano(held["cost"]["limit_usd"]) == nano("0.01")
    # A job that is resumed does not spend what its cap forbids.
    assert resumed.status_code == 202
    assert again["items"] == held["items"]
    assert still == at_hold
    assert status["state"] == "completed"
    assert set(after["calls"].values()) == {1}


async def test_a_cap_below_the_cheapest_item_is_refused_with_the_least_that_would_do(
    service: Service,
) -> None:
    _, items = wanted("least", 3)
    cheapest = await cost_of_one(service, items)
    below = cheapest - Decimal("0.000000001")

    problems = await refused(service, items=items, budget={"limit_usd": f"{below:f}"})
    answer = await service.validate(items=items, budget={"limit_usd": f"{cheapest:f}"})

    assert list(problems) == ["/budget/limit_usd"]
    assert f"{cheapest:f}" in problems["/budget/limit_usd"]
    assert answer["enough"] == "not_for_all"


@pytest.mark.parametrize("limit", ["0", "-1", "1e30", "0.0000000001", "abc"])
async def test_what_is_no_sum_is_no_cap(service: Service, limit: str) -> None:
    problems = await refused(service, budget={"limit_usd": limit})

    assert list(problems) == ["/budget/limit_usd"]


# --- the caps of a tenant ------------------------------------------------------------------------


@pytest.fixture
async def own_caps(service: Service) -> AsyncIterator[Service]:
    """The service, whose tenant has its caps back after the test."""
    before = {
        name: service.stack.environment[f"IMAGEMILL_CAPS_{name.upper()}"] for name in ("day_usd", "month_usd")
    }
    yield service
    await service.set_caps(**before)


async def test_a_tenants_cap_holds_a_job_until_it_is_raised(own_caps: Service) -> None:
    service = own_caps
    prompts, items = wanted("tenant")
    each = await cost_of_one(service, items)
    day = (await service.all_told())["day"]
    spent = Decimal(day["settled_usd"]) + Decimal(day["written_off_usd"])
    cap = spent + each * FOR_TEN

    await service.set_caps(day_usd=f"{cap:f}")
    job = await service.submit(items=items)
    held = await service.until(job, lambda status: status["state"] == "held")
    before, told = await service.ledger(*prompts), await service.all_told()
    await service.set_caps(day_usd=f"{cap + 100:f}")
    status = await service.finished(job)
    after = await service.ledger(*prompts)

    assert held["hold"]["code"] == "tenant_budget"
    assert held["hold"]["until"] == day["ends_at"]
    assert 0 < Decimal(held["hold"]["smallest_usd"]) <= each
    assert 10 <= held["items"]["succeeded"] < ITEMS
    assert before["nano"] <= nano(f"{each * FOR_TEN:f}")
    assert Decimal(told["day"]["limit_usd"]) == cap
    assert Decimal(told["day"]["left_usd"]) < each
    assert status["state"] == "completed"
    assert set(after["calls"].values()) == {1}


# --- what can't be known -------------------------------------------------------------------------


async def test_a_call_of_unknown_outcome_holds_the_job_until_it_is_resumed(service: Service) -> None:
    prompts, items = wanted("doubt", 5)
    async with service.faults({"kind": "error_500_billed", "match": "for doubt 02", "times": 1}):
        job = await service.submit(items=items, on_unknown="hold")
        held = await service.until(job, lambda status: status["state"] == "held")
        at_hold = await service.ledger(prompts[2])
        await service.ask("POST", f"/v1/jobs/{job}/resume")
        status = await service.finished(job)
    report = await service.report(job)
    ledger = await service.ledger(*prompts)

    assert held["hold"]["code"] == "unknown_outcomes"
    assert held["uncertain"] == 1
    assert at_hold["calls"].total() == 1
    assert nano(held["cost"]["written_off_usd"]) >= at_hold["nano"] > 0
    assert status["state"] == "completed"
    assert sorted(ledger["calls"].values()) == [1, 1, 1, 1, 2]
    (doubted,) = [item for item in report["data"] if len(item["attempts"]) > 1]
    assert doubted["custom_id"] == "doubt-2"
    assert [each["outcome"] for each in doubted["attempts"]] == ["written_off", "settled"]
    assert doubted["uncertain_usd"] == report["written_off_usd"] == held["cost"]["written_off_usd"]
    assert report["uncertain"] == 1


# --- estimates and receipts ----------------------------------------------------------------------


async def test_an_estimate_starts_nothing(service: Service) -> None:
    _, items = wanted("nothing", 3)
    before, (billed, _) = await service.usage(), await service.entries(0)

    answer = await service.validate(items=items)

    after, (billed_then, _) = await service.usage(), await service.entries(0)
    low, high = nano(answer["estimate"]["low_usd"]), nano(answer["estimate"]["high_usd"])
    assert 0 < low <= nano(answer["estimate"]["expected_usd"]) <= high
    assert answer["items"] == 3
    assert answer["enough"] == "surely"
    assert after | {"as_of": None} == before | {"as_of": None}
    assert billed_then == billed


async def test_the_receipt_its_attempts_the_usage_and_the_bill_agree(service: Service) -> None:
    prompts, items = wanted("receipt", 8)
    before, (position, _) = await service.all_told(), await service.entries(0)
    async with service.faults({"kind": "reset_after_billing", "match": "for receipt", "times": 2}):
        job = await service.submit(items=items)
        status = await service.finished(job)
    report, usage = await service.report(job), await service.all_told()
    _, entries = await service.entries(position)

    attempts = [attempt for item in report["data"] for attempt in item["attempts"]]
    billed = {entry["request_id"] for entry in entries if entry["event"] == "billed"}
    brought = {each["request_id"] for each in attempts if each["outcome"] == "settled"}
    assert len(report["data"]) == len(brought) == 8
    assert brought < billed
    assert len(billed) == len(attempts) == 10
    for sums in (report, status["cost"], *(each for each in usage["jobs"] if each["id"] == job)):
        assert nano(sums["settled_usd"]) == cost_of(attempts, "settled")
        assert nano(sums["written_off_usd"]) == cost_of(attempts, "written_off")
    for name in ("settled_usd", "written_off_usd"):
        assert nano(usage[name]) - nano(before[name]) == nano(report[name])
    assert nano(report["settled_usd"]) <= (await service.ledger(*prompts))["nano"]
    assert {line["model"] for line in report["lines"]} == {SMALL["model"]}


def cost_of(attempts: list[Json], outcome: str) -> int:
    return sum(nano(each["cost_usd"]) for each in attempts if each["outcome"] == outcome)


# --- prices and models ---------------------------------------------------------------------------


async def test_a_model_without_a_price_is_refused_unless_the_job_states_one(service: Service) -> None:
    _, items = wanted("unpriced", 4)
    strange = SMALL | {"model": "picture-house-9"}

    problems = await refused(service, items=items, defaults=strange)
    answer = await service.validate(
        items=items, defaults=strange, prices={"picture-house-9": {"image_usd": "0.05"}}
    )

    assert list(problems) == ["/defaults/model"]
    assert "picture-house-9" in problems["/defaults/model"]
    assert answer["estimate"]["high_usd"] == answer["estimate"]["low_usd"] == "0.20"


async def test_a_retired_model_is_refused_with_its_date_and_its_successor(service: Service) -> None:
    problems = await refused(service, defaults={"model": "dall-e-3"})

    assert "2026-05-12" in problems["/defaults/model"]
    assert "gpt-image-2.5-flare follows it" in problems["/defaults/model"]


async def test_a_model_that_is_about_to_end_is_taken_with_a_warning(service: Service) -> None:
    mini = Catalogue.load().model("gpt-image-1-mini")
    today = datetime.now(UTC).date()
    assert mini.shutdown
    defaults = {"model": mini.name, "size": "1024x1024", "quality": "low"}

    if today >= mini.shutdown:
        said = list((await refused(service, defaults=defaults)).values())
    else:
        said = (await service.validate(items=wanted("last", 1)[1], defaults=defaults))["warnings"]

    # Nothing is said of it longer before than the notice.
    soon = today >= mini.shutdown - NOTICE
    assert [str(mini.shutdown) in words and str(mini.successor) in words for words in said] == [True] * soon
