import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.planning import Planning
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.item import ItemResult, ItemState, PlannedItem
from imagemill.domain.job import Submission
from imagemill.domain.messages import Estimated, EstimateTask, Plan, PlanTask
from imagemill.domain.places import (
    bad_rows_key,
    estimate_key,
    file_key,
    plan_index_key,
    plan_key,
    request_key,
    results_key,
)
from imagemill.domain.renditions import Rendition
from imagemill.inputs.reference import Rules
from imagemill.templating.process import ProcessTemplating
from imagemill.tenants import Tenants
from tests.fakes.store import MemoryStore

FILE = {"file_id": "file_1", "format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.text }}"}


def submission(**said: Any) -> bytes:
    base = {"job": "job_1", "tenant": "t", "submitted_at": datetime.now(UTC), "cap_nano": 10**12}
    defaults = {"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "low"}
    return Submission.model_validate(base | {"defaults": defaults} | said).model_dump_json().encode()


async def plan(
    store: MemoryStore,
    workflow_run: str = "run_1",
    rules: Rules | None = None,
    tenants: Tenants | None = None,
    **said: Any,
) -> Plan:
    await store.put(request_key("t", "job_1"), submission(**said))
    planning = Planning(store, ProcessTemplating(), Catalogue.load(), rules, tenants=tenants)
    task = PlanTask(job="job_1", tenant="t", run=workflow_run)
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


@pytest.mark.parametrize("thumbnails", [True, False])
async def test_each_item_says_which_copies_it_is_to_have(thumbnails: bool) -> None:
    store = MemoryStore()
    web = {"name": "web", "width": 100}
    await store.put(request_key("t", "job_1"), submission(items=items(1), renditions=[web]))
    planning = Planning(store, ProcessTemplating(), Catalogue.load(), thumbnails=thumbnails)
    await ActivityEnvironment().run(planning.plan, PlanTask(job="job_1", tenant="t", run="r"))

    [item] = planned(store)
    assert (item.thumbnail, item.renditions) == (thumbnails, [Rendition.model_validate(web)])


async def test_a_name_among_the_copies_is_a_bad_row() -> None:
    store = MemoryStore()
    said = [{"custom_id": "_thumbnails", "prompt": "x"}, {"custom_id": "b", "prompt": "x"}]
    found = await plan(store, items=said)

    assert found.invalid_rows == 1
    assert "smaller copies" in str(planned(store)[0].problem)


async def test_another_run_is_a_duplicate_and_the_same_run_plans_the_same_again() -> None:
    store = MemoryStore()
    first = await plan(store, items=items(600))
    del store.objects[plan_key("t", "job_1", 1)]  # as if the first attempt had died here
    kept = store.data(plan_key("t", "job_1", 0))

    assert await plan(store, items=items(600)) == first
    assert store.data(plan_key("t", "job_1", 0)) == kept
    assert len(planned(store, 1)) == 100
    assert (await plan(store, workflow_run="run_2", items=items(600))) == Plan(duplicate=True)


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


async def test_an_estimate_adds_up_what_the_plan_would_and_leaves_the_bad_rows() -> None:
    store = MemoryStore()
    rows = [*items(2), {"custom_id": "c", "prompt": "x", "size": "17x17"}]
    found = await estimate(store, items=rows)

    bad = bad_rows_key("t", "job_1")
    assert store.written == [estimate_key("t", "job_1"), bad]  # the first for the one who asked to delete
    assert (found.plan.items, found.plan.invalid_rows, found.cheapest_nano) == (3, 1, CHEAP)
    assert found.plan.estimate
    assert found.plan.estimate.high_nano == 2 * CHEAP
    assert found.plan.estimate.low_nano < found.plan.estimate.high_nano
    assert json.loads(store.data(bad))["custom_id"] == "c"
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


# --- input images --------------------------------------------------------------------------------

UPLOADED = "file_" + "0" * 26
MISSING = "file_" + "1" * 26
URL = "https://images.example/a.png?sig=very-secret"
INPUTS = {"images": ["{{ row.front }}", " {{ row.back }} "], "mask": "{{ row.mask }}"}


async def store_with(rows: str) -> MemoryStore:
    store = MemoryStore()
    await store.put(file_key("t", "file_1"), f"id,text,front,back,mask\n{rows}".encode())
    await store.put(file_key("t", UPLOADED), b"...")
    return store


def faults(store: MemoryStore) -> list[tuple[int | None, str]]:
    return [(item.line, item.problem.detail) for item in planned(store) if item.problem]


async def test_a_row_s_templates_name_its_input_images() -> None:
    store = await store_with(f"a,x,{URL},{UPLOADED},{UPLOADED}\nb,x,,{URL},\nc,x,,,\n")
    answer = await plan(store, manifest=FILE | INPUTS)
    found = [item.request for item in planned(store) if item.request]

    assert answer.invalid_rows == 0
    assert [(each.images, each.mask) for each in found] == [
        ((URL, UPLOADED), UPLOADED),
        ((URL,), None),
        ((), None),
    ]
    maxima = [item.maximum_nano for item in planned(store)]
    assert maxima[0] > maxima[1] > maxima[2]
    assert "secret" not in answer.model_dump_json()


async def test_a_row_s_images_win_over_the_defaults_and_a_variant_s_over_both() -> None:
    store = await store_with(f"a,x,{URL},,\nb,x,,,\n")
    defaults = {"model": "gpt-image-2.5-flare", "images": ["https://images.example/style.png"]}
    variants = [{"name": "plain"}, {"name": "own", "images": [UPLOADED]}, {"name": "none", "images": []}]
    await plan(store, manifest=FILE | INPUTS | {"variants": variants}, defaults=defaults)

    found = [(item.custom_id, item.request.images) for item in planned(store) if item.request]
    assert found == [
        ("a", (URL,)),
        ("a", (UPLOADED,)),
        ("a", ()),
        ("b", ("https://images.example/style.png",)),
        ("b", (UPLOADED,)),
        ("b", ()),
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("http://images.example/secret.png,,", "images/0: an http:// address is not fetched; use https://"),
        ("https://10.0.0.1/secret.png,,", "images/0: is no address that is fetched; it needs a public host"),
        (f"{URL},secret.png,", "images/1: is no reference to an image"),
        (f"{URL},s3://shop/secret.png,", "images/1: objects of the bucket 'shop' may not be read here"),
        ("data:image/png;base64;secret,,", "images/0: an image within the request is not taken"),
        (f"https://images.example/secret{'a' * 2048},,", "images/0: has 2077 characters"),
        (f",,{URL}", "mask: a mask says where an image is edited"),
        (f"{URL},{MISSING},", f"images/1: there is no file {MISSING}"),
        (f"{UPLOADED},,{MISSING}", f"mask: there is no file {MISSING}"),
    ],
)
async def test_a_reference_that_can_t_be_is_a_bad_row_which_does_not_repeat_it(row: str, says: str) -> None:
    store = await store_with(f"a,x,{row}\nb,x,{UPLOADED},,\n")
    answer = await plan(store, manifest=FILE | INPUTS)
    [(line, detail)] = faults(store)

    assert (line, answer.invalid_rows) == (2, 1)
    assert detail.startswith(says)
    assert "secret" not in detail + answer.model_dump_json()
    assert planned(store)[0].maximum_nano == planned(store)[0].expected_nano == 0
    assert answer.chunks[0].maximum_nano == planned(store)[1].maximum_nano > 0


async def test_a_row_has_sixteen_images_at_most() -> None:
    store = await store_with(f"a,x,{UPLOADED},,\nb,x,{UPLOADED},{UPLOADED},\n")
    images = ["{{ row.front }}"] * 16 + ["{{ row.back }}"]
    await plan(store, manifest=FILE | {"images": images})

    assert faults(store) == [(3, "the row has 17 images; at most 16 are taken")]
    assert planned(store)[0].names


async def test_each_file_is_looked_for_once() -> None:
    store = await store_with("".join(f"{n},x,{UPLOADED},{MISSING},\n" for n in range(450)))
    await plan(store, manifest=FILE | INPUTS)

    looked = sorted(key for method, key in store.calls if method == "head")
    assert looked == [file_key("t", UPLOADED), file_key("t", MISSING)]


async def test_files_of_inline_items_are_looked_for_too() -> None:
    store = MemoryStore()
    await plan(store, items=[*items(1), {"custom_id": "b", "prompt": "x", "images": [MISSING]}])
    assert [detail for _, detail in faults(store)] == [
        f"images/0: there is no file {MISSING}; upload it to /v1/files first"
    ]


async def test_allowed_buckets_and_addresses_are_the_operator_s() -> None:
    store = await store_with("a,x,s3://shop/a.png,http://images.example/a.png,\n")
    rules = Rules(buckets=("shop",), allow_http=True)
    await plan(store, rules=rules, manifest=FILE | INPUTS)
    assert faults(store) == []


@pytest.mark.parametrize(("said", "refused"), [("", [1, 2]), ('buckets = ["shop/mine"]', [2])])
async def test_rows_name_the_buckets_of_their_tenant(tmp_path: Path, said: str, refused: list[int]) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(f"[tenants.t]\n{said}")
    store = await store_with("a,x,s3://shop/mine/a.png,,\nb,x,s3://shop/theirs/a.png,,\n")
    rules = Rules(buckets=("else",))
    await plan(store, rules=rules, tenants=Tenants(file), manifest=FILE | INPUTS)

    assert [line and line - 1 for line, detail in faults(store) if "bucket 'shop'" in detail] == refused


async def test_inline_items_name_the_buckets_of_their_tenant(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text('[tenants.t]\nbuckets = ["shop/mine"]')
    named = ["s3://shop/mine/a.png", "s3://shop/theirs/a.png"]
    rows = [{"custom_id": place, "prompt": "x", "images": [place]} for place in named]
    store = MemoryStore()
    await plan(store, rules=Rules(buckets=("shop",)), tenants=Tenants(file), items=rows)

    assert [item.custom_id for item in planned(store) if item.problem] == named[1:]


async def test_the_provider_is_told_a_hash_of_tenant_and_end_user() -> None:
    store = MemoryStore()
    said: dict[str, Any] = {"model": "gpt-image-2.5-flare", "end_user": "alice@example.com"}
    rows = [{"custom_id": name, "prompt": "x"} for name in "ab"]
    await plan(store, items=[*rows, {"custom_id": "c", "prompt": "x", "end_user": "bob"}], defaults=said)

    first, second, third = (item.request.safety_identifier for item in planned(store) if item.request)
    assert first == second == hashlib.sha256(b"t\0alice@example.com").hexdigest()
    assert first != third
    assert "alice" not in store.data(plan_key("t", "job_1", 0)).decode()


async def test_old_qualities_are_planned_as_what_they_mean() -> None:
    store = await store_with("a,x,,,\n")
    variants = [{"name": "a", "quality": "hd"}, {"name": "b", "quality": "standard"}]
    await plan(store, manifest=FILE | {"variants": variants})
    assert [item.request.quality for item in planned(store) if item.request] == ["high", "medium"]


# --- items of an earlier job ---------------------------------------------------------------------


async def before(store: MemoryStore) -> None:
    """A job whose items 0 to 3 ended as they are called, item 4 had a bad row, and chunk 1 never ran."""
    named = ["succeeded", "failed", "blocked", "skipped", "skipped", *(f"later-{n}" for n in range(496))]
    await plan(store, items=[{"custom_id": name, "prompt": f"a {name} chair"} for name in named])
    for key in list(store.objects):
        if "/job_1/" in key:
            await store.put(key.replace("job_1", "job_0"), store.data(key))
            del store.objects[key]
    results = [
        ItemResult(index=n, custom_id=name, state=cast("ItemState", name)) for n, name in enumerate(named[:4])
    ]
    lines = "".join(result.model_dump_json() + "\n" for result in results)
    await store.put(results_key("t", "job_0", 0), lines.encode())


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        ({"states": ["failed", "blocked"]}, ["failed", "blocked"]),
        ({"states": ["skipped"]}, ["skipped"]),
        ({"custom_ids": ["succeeded", "later-495"]}, ["succeeded", "later-495"]),
    ],
)
async def test_a_retry_buys_the_items_that_are_asked_for_as_they_were_planned(
    retry: dict[str, Any], expected: list[str]
) -> None:
    store = MemoryStore()
    await before(store)
    answer = await plan(store, retry={"job": "job_0"} | retry)
    found = planned(store)

    assert [item.custom_id for item in found] == expected
    assert [item.request.prompt for item in found if item.request] == [f"a {name} chair" for name in expected]
    assert all(item.maximum_nano > 0 and item.names for item in found)
    assert (answer.items, answer.invalid_rows) == (len(expected), 0)


async def test_items_of_chunks_that_never_ran_count_as_cancelled() -> None:
    store = MemoryStore()
    await before(store)
    answer = await plan(store, retry={"job": "job_0", "states": ["cancelled"]})

    assert answer.items == 496  # of chunk 0 what has no result, and all of chunk 1


async def test_a_bad_row_is_not_bought_again_and_an_unknown_item_is_told() -> None:
    store = MemoryStore()
    await before(store)
    answer = await plan(store, retry={"job": "job_0", "custom_ids": ["skipped~5", "failed", "who"]})
    found = planned(store)

    assert [(item.custom_id, item.problem and item.problem.detail) for item in found] == [
        ("failed", None),
        ("who", "job job_0 has no item 'who'"),
    ]
    assert answer.invalid_rows == 1


async def test_a_retry_of_nothing_fails_before_anything_is_bought() -> None:
    store = MemoryStore()
    await before(store)
    answer = await plan(store, retry={"job": "job_0", "custom_ids": []})

    assert (answer.failure, answer.items) == ("no_items", 0)
    assert "the job before" in (answer.failure_detail or "")


async def test_a_retry_of_a_job_that_left_no_plan_fails_instead_of_being_tried_for_ever() -> None:
    answer = await plan(MemoryStore(), retry={"job": "job_0", "custom_ids": ["a"]})

    assert (answer.failure, answer.items) == ("manifest_unreadable", 0)
    assert "job_0 failed before it had any items" in (answer.failure_detail or "")


async def test_prices_that_the_catalogue_has_by_now_fail_the_job(caplog: pytest.LogCaptureFixture) -> None:
    answer = await plan(MemoryStore(), items=items(1), prices_nano={"gpt-image-2.5-flare": 5})

    assert answer.failure == "manifest_unreadable"


async def test_what_is_wrong_with_rows_does_not_pass_through_the_engine() -> None:
    store = MemoryStore()
    await store.put(file_key("t", "file_1"), b"id,text\na,a secret prompt\n")
    answer = await plan(store, manifest=FILE | {"prompt": "{{ row[row.text] }}"})

    assert answer.failure == "no_valid_items"
    assert "secret" not in answer.model_dump_json()
    assert "secret" in store.data(plan_index_key("t", "job_1")).decode()


RUN = {"schedule": "s", "number": 7, "at": "2026-12-31T23:30:00Z", "time_zone": "Europe/Berlin"}
"""A run that is in the next year already, where its schedule is."""


async def test_templates_of_a_schedules_job_see_which_run_it_is() -> None:
    store = MemoryStore()
    await store.put(file_key("t", "file_1"), b"id,text\na,chair\n")
    manifest = FILE | {
        "prompt": "{{ row.text }} of {{ run.date }}, {{ run.weekday }}",
        "where": "{{ run.number }}",
    }
    key = "{{ run.year }}/{{ run.month }}/{{ custom_id }}-{{ run.number }}.{{ ext }}"

    await plan(store, manifest=manifest, run=RUN, key=key)

    [item] = planned(store)
    assert item.request
    assert item.request.prompt == "chair of 2027-01-01, Friday"
    assert item.names == ["2027/01/a-7.png"]


async def test_prompts_of_a_schedules_items_are_templates_each_for_itself() -> None:
    store = MemoryStore()
    prompts = [
        "banner of {{ run.date }}",
        "no template } }",
        "{{ run.number | plus: 1 }}",
        "{{ run.number | divided_by: 0 }}",
        "{% if run.number == 8 %}x{% endif %}",
        "{% for i in (1..100000) %}x{% endfor %}",
    ]
    items = [{"custom_id": f"i{n}", "prompt": prompt} for n, prompt in enumerate(prompts)]

    await plan(store, items=items, run=RUN)

    found = planned(store)
    said = [item.request.prompt if item.request else None for item in found]
    assert said[:3] == ["banner of 2027-01-01", "no template } }", "8"]
    assert [item.problem is None for item in found] == [True, True, True, False, False, False]
    assert found[4].problem
    assert found[4].problem.detail == "the prompt is empty"


async def test_prompts_of_a_job_are_as_they_are_said() -> None:
    store = MemoryStore()

    await plan(store, items=[{"custom_id": "a", "prompt": "{{ run.date }} {% x"}])

    [item] = planned(store)
    assert item.request
    assert item.request.prompt == "{{ run.date }} {% x"


async def test_a_manifest_that_is_gone_when_a_run_comes_fails_the_job() -> None:
    found = await plan(MemoryStore(), manifest=FILE, run=RUN)

    assert (found.failure, found.items) == ("manifest_unreadable", 0)
    assert "file_1" in str(found.failure_detail)


async def test_a_run_that_was_refused_fails_with_the_reason() -> None:
    found = await plan(MemoryStore(), items=items(1), run=RUN, refused="tenant t has no cap")

    assert (found.failure, found.failure_detail, found.items) == ("run_refused", "tenant t has no cap", 0)
