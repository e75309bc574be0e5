"""A finished job's own account against the provider's ledger: item by item, and every sum."""

from collections import Counter
from collections.abc import Collection

from tests.acceptance.service import Json, Service, nano
from tests.chaos.ledger import Bill, Ledger, hashed, total

TERMINAL = {"succeeded", "blocked", "failed", "skipped", "cancelled"}


async def check_books(service: Service, ledger: Ledger, job: str, items: list[Json]) -> Json:
    """Judge a job that has ended; answers its status."""
    status, report = await service.status(job), await service.report(job)
    await ledger.read()
    check_ends(status, report, items)
    prompts = {item["custom_id"]: hashed(item["prompt"]) for item in items}
    for said in report["data"]:
        check_item(said, ledger.of({prompts[said["custom_id"]]}))
    check_sums(status, report)
    check_bounds(report, ledger.of(prompts.values()))
    return status


def check_ends(status: Json, report: Json, items: list[Json]) -> None:
    """Every item has exactly one end, and the counts are those of the items."""
    said = report["data"]
    assert sorted(item["custom_id"] for item in said) == sorted(item["custom_id"] for item in items)
    assert {item["state"] for item in said} <= TERMINAL
    states = Counter(item["state"] for item in said)
    for counts in (status["items"], report["items"]):
        assert counts["total"] == len(items)
        assert counts["pending"] == counts["running"] == 0
        assert {state: counts[state] for state in TERMINAL} == {state: states[state] for state in TERMINAL}


def check_item(said: Json, bills: Collection[Bill]) -> None:
    """What the attempts of one item say, against what was billed for its prompt."""
    outcomes = Counter(attempt["outcome"] for attempt in said["attempts"])
    paid = outcomes["settled"] + outcomes["recovered"]
    why = f"{said} was billed {len(bills)} times: {bills}"
    assert len({attempt["reservation"] for attempt in said["attempts"]}) == len(said["attempts"]), why
    assert outcomes["settled"] <= 1, why
    # A call beyond the one that brought the images has its unknown outcome among the attempts.
    assert paid <= len(bills) <= paid + outcomes["written_off"], why
    settled, written_off = settled_of(said), written_off_of(said)
    assert total(bills) <= settled + written_off, why
    assert settled <= total(bills) or said["estimated"], why
    assert all(nano(each["cost_usd"]) <= nano(each["reserved_usd"]) for each in said["attempts"]), why


def check_sums(status: Json, report: Json) -> None:
    """The status, the report, its lines and its items all say the same."""
    items = report["data"]
    for sums in (status["cost"], report):
        assert nano(sums["settled_usd"]) == sum(map(settled_of, items))
        assert nano(sums["written_off_usd"]) == sum(map(written_off_of, items))
    for name in ("settled_usd", "written_off_usd"):
        assert sum(nano(line[name]) for line in report["lines"]) == nano(report[name])
    for name in ("items", "images", "uncertain"):
        whole = report["items"]["total"] if name == "items" else report[name]
        assert sum(line[name] for line in report["lines"]) == whole
    assert all(nano(item["cost_usd"]) == settled_of(item) + written_off_of(item) for item in items)
    assert all(nano(item["uncertain_usd"]) == written_off_of(item) for item in items)
    assert status["uncertain"] == report["uncertain"] == sum(written_off_of(item) > 0 for item in items)
    assert nano(status["cost"]["reserved_usd"]) == 0
    assert nano(report["vanished_usd"]) == 0


def check_bounds(report: Json, bills: Collection[Bill]) -> None:
    """Settled <= ledger <= settled + written off; what the provider did not count is settled at the most."""
    settled, written_off = nano(report["settled_usd"]), nano(report["written_off_usd"])
    estimated = sum(settled_of(item) for item in report["data"] if item["estimated"])
    assert settled - estimated <= total(bills) <= settled + written_off


def settled_of(item: Json) -> int:
    """What an item's attempts say was billed, in nano-dollars."""
    return _sum(item, ("settled", "recovered"))


def written_off_of(item: Json) -> int:
    """What they count as spent since it can't be known."""
    return _sum(item, ("written_off",))


def _sum(item: Json, outcomes: Collection[str]) -> int:
    return sum(nano(each["cost_usd"]) for each in item["attempts"] if each["outcome"] in outcomes)
