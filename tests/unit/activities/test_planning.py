import json
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.planning import Planning
from imagemill.domain.item import PlannedItem
from imagemill.domain.job import Submission
from imagemill.domain.messages import Plan, PlanTask
from imagemill.domain.places import file_key, plan_index_key, plan_key, request_key
from imagemill.domain.catalogue import Catalogue
from imagemill.templating.process import ProcessTemplating
from tests.fakes.store import MemoryStore

FILE = {"file_id": "file_1", "format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.text }}"}


async def plan(store: MemoryStore, run: str = "run_1", **said: Any) -> Plan:
    base = {"job": "job_1", "tenant": "t", "submitted_at": datetime.now(UTC), "cap_nano": 1}
    defaults = {"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "low"}
    submission = Submission.model_validate(base | {"defaults": defaults} | said)
    await store.put(request_key("t", "job_1"), submission.model_dump_json().encode())
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
