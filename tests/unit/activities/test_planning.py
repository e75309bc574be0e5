import json
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.planning import Planning
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.item import PlannedItem
from imagemill.domain.job import Submission
from imagemill.domain.messages import Estimated, EstimateTask, Plan, PlanTask
from imagemill.domain.places import estimate_key, file_key, plan_index_key, plan_key, request_key
from imagemill.templating.process import ProcessTemplating
from tests.fakes.store import MemoryStore

FILE = {"file_id": "file_1", "format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.text }}"}


def submission(**said: Any) -> bytes:
    base = {"job": "job_1", "tenant": "t", "submitted_at": datetime.now(UTC), "cap_nano": 10**12}
    defaults = {"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "low"}
    return Submission.model_validate(base | {"defaults": defaults} | said).model_dump_json().encode()


async def plan(store: MemoryStore, run: str = "run_1", **said: Any) -> Plan:
    await store.put(request_key("t", "job_1"), submission(**said))
    planning = Planning(store, ProcessTemplating(), Catalogue.load())
    task = PlanTask(job="job_1", tenant="t", run=run)
    return await ActivityEnvironment().run(planning.plan, task)


def planned(store: MemoryStore, chunk: int = 0) -> list[PlannedItem]:
    lines = store.data(plan_key("t", "job_1", chunk)).splitlines()
    return [PlannedItem.model_validate_json(line) for line in lines]


def items(count: int) -> list[dict[str, str]]:
    return [{"custom_id": f"sku-{n}", "prompt": "x"} for n in range(count)]


async def test_items_are_written_in_chunks_of_500_with_their_price_and_names() -> None:
    store = MemoryStore()
    answer = await plan(store, items=items(1001))

    each = 7 * 5_000 + 196 * 30_000
    assert [(c.items, c.maximum_nano) for c in answer.chunks] == [
        (500, 500 * each),
        (500, 500 * each),
        (1, each),
    ]
    assert [item.index for item in planned(store, 1)] == list(range(500))
    assert planned(store, 2)[0].names == ["sku-1000/1.png"]


async def test_another_run_is_a_duplicate_and_the_same_run_plans_the_same_again() -> None:
    store = MemoryStore()
    first = await plan(store, items=items(600))
    del store.objects[plan_key("t", "job_1", 1)]  # as if the first attempt had died here
    kept = store.data(plan_key("t", "job_1", 0))

    assert await plan(store, items=items(600)) == first
    assert store.data(plan_key("t", "job_1", 0)) == kept
    assert len(planned(store, 1)) == 100
    assert (await plan(store, run="run_2", items=items(600))) == Plan(duplicate=True)


async def test_bad_rows_become_failed_items_with_their_lines() -> None:
    store = MemoryStore()
    await store.put(file_key("t", "file_1"), b"id,text\na,chair\n,lamp\nb\na,again\nc,\nd,desk\n")
    variants = [{"name": "square"}, {"name": "wide", "size": "1536x1024"}]
    answer = await plan(store, manifest=FILE | {"variants": variants})
    found = planned(store)

    good = [(item.custom_id, item.variant, item.names) for item in found if not item.problem]
    assert good == [(i, v, [f"{i}/{v}-1.png"]) for i in ("a", "d") for v in ("square", "wide")]
    assert (answer.items, answer.invalid_rows) == (11, 7)
    index = json.loads(store.data(plan_index_key("t", "job_1")))
    assert [row["line"] for row in index["problems"]] == [3, 3, 4, 5, 5, 6, 6]
    assert "used before, on line 2" in index["problems"][3]["detail"]


async def test_a_name_that_is_taken_is_a_problem_of_the_later_item() -> None:
    store = MemoryStore()
    answer = await plan(store, items=items(2), key="same.{{ ext }}")

    assert answer.invalid_rows == 1
    problem = planned(store)[1].problem
    assert problem
    assert "taken by item 1" in problem.detail
    assert planned(store)[1].maximum_nano == 0


@pytest.mark.parametrize(
    ("data", "failure"), [(b"id,text\n", "no_items"), (b"id,text\n,\n", "no_valid_items")]
)
async def test_a_manifest_without_a_good_row_fails(data: bytes, failure: str) -> None:
    store = MemoryStore()
    await store.put(file_key("t", "file_1"), data)

    assert (await plan(store, manifest=FILE)).failure == failure


# --- money ---------------------------------------------------------------------------------------

CHEAP = 7 * 5_000 + 196 * 30_000
"""A prompt of one byte, and an image of low quality."""


async def estimate(store: MemoryStore, **said: Any) -> Estimated:
    await store.put(estimate_key("t", "job_1"), submission(**said))
    planning = Planning(store, ProcessTemplating(), Catalogue.load())
    task = EstimateTask(tenant="t", job="job_1")
    return await ActivityEnvironment().run(planning.estimate, task)


async def test_an_estimate_adds_up_what_the_plan_would_and_leaves_nothing() -> None:
    store = MemoryStore()
    rows = [*items(2), {"custom_id": "c", "prompt": "x", "size": "17x17"}]
    found = await estimate(store, items=rows)

    assert list(store.objects) == [estimate_key("t", "job_1")]  # for the one who asked to delete
    assert (found.plan.items, found.plan.invalid_rows, found.cheapest_nano) == (3, 1, CHEAP)
    assert found.plan.estimate
    assert found.plan.estimate.high_nano == 2 * CHEAP
    assert found.plan.estimate.low_nano < found.plan.estimate.high_nano
    assert [problem["custom_id"] for problem in found.problems] == ["c"]
    assert (await plan(store, items=rows)).estimate == found.plan.estimate


@pytest.mark.parametrize(("cap", "fails"), [(CHEAP - 1, True), (CHEAP, False)])
async def test_a_cap_below_the_cheapest_item_fails_the_job_before_anything_is_bought(
    cap: int, fails: bool
) -> None:
    dear = {"custom_id": "b", "prompt": "x", "quality": "max"}
    answer = await plan(MemoryStore(), items=[dear, *items(1)], cap_nano=cap)

    assert (answer.failure == "cap_too_low") is fails
    if fails:
        assert "set it to $0.005915 at least" in str(answer.failure_detail)


async def test_a_job_s_own_price_is_by_the_image() -> None:
    store = MemoryStore()
    said: dict[str, Any] = {"defaults": {"model": "theirs", "n": 3}, "prices_nano": {"theirs": 50}}
    await plan(store, items=items(1), **said)

    [item] = planned(store)
    assert (item.maximum_nano, item.image_nano) == (150, 50)


async def test_a_chunk_says_which_of_its_models_are_uncertain() -> None:
    answer = await plan(MemoryStore(), items=items(1), defaults={"model": "gpt-image-2.6-flare"})
    assert [chunk.uncertain for chunk in answer.chunks] == [["gpt-image-2.6-flare"]]
    assert answer.estimate
    assert answer.estimate.uncertain
