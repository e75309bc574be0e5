"""What planning makes of feeds, variants and many bad rows; and what key templates can't do."""

import json
from typing import Any

import pytest

from activities import planning
from imagemill.domain.job import Format, Manifest
from imagemill.domain.messages import Plan, PlannedChunk
from imagemill.domain.places import CHUNK_ITEMS, bad_rows_key, file_key, image_key, plan_key
from imagemill.manifest.feeds import FEEDS
from tests.fakes.store import MemoryStore
from tests.unit.activities.test_planning import FILE, estimate, faults, items, plan, planned

PAYLOAD = 2_000_000
"""What the engine takes as one answer."""


async def store_with(data: str | bytes) -> MemoryStore:
    store = MemoryStore()
    await store.put(file_key("t", "file_1"), data.encode() if isinstance(data, str) else data)
    return store


def feed(form: Format) -> dict[str, Any]:
    return {"file_id": "file_1", "format": form, "id": FEEDS[form].id, "prompt": FEEDS[form].prompt}


def prompts(store: MemoryStore) -> dict[str, str]:
    return {item.custom_id: item.request.prompt for item in planned(store) if item.request}


# --- feeds ---------------------------------------------------------------------------------------

EXPORT = """\
Handle,Title,Body (HTML),Option1 Name,Option1 Value,Image Src
chair, Chair ,<p>Solid<br>oak</p>,Colour,Oak,https://shop.example/1.jpg
chair,,,,Ash,https://shop.example/2.jpg
vase,Vase,,Title,Default Title,
bare,,,,,
"""
SCENE = "on a plain white background, in soft studio light."


async def test_a_shop_s_export_needs_no_templates() -> None:
    store = await store_with(EXPORT)
    answer = await plan(store, manifest=feed("shopify-products"))

    assert prompts(store) == {
        "chair": f"Product photo of Chair {SCENE} Solid oak",
        "vase": f"Product photo of Vase {SCENE}",
    }
    assert faults(store) == [(5, "the prompt is empty")]
    assert answer.invalid_rows == 1


async def test_each_variant_of_a_shop_s_export_is_an_item() -> None:
    store = await store_with(EXPORT)
    await plan(store, manifest=feed("shopify-variants"))

    assert prompts(store) == {
        "chair (Oak)": f"Product photo of Chair (Oak) {SCENE} Solid oak",
        "chair (Ash)": f"Product photo of Chair (Ash) {SCENE} Solid oak",
        "vase": f"Product photo of Vase {SCENE}",
    }
    assert [item.names for item in planned(store)][:2] == [["chair (Oak)/1.png"], ["chair (Ash)/1.png"]]


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("merchant-tsv", "id\ttitle\tdescription\na\tChair\t<b>oak</b>\nb\t\t\n"),
        (
            "merchant-xml",
            '<rss xmlns:g="http://base.google.com/ns/1.0"><item><g:id>a</g:id><title>Chair</title>'
            "<description>&lt;b>oak&lt;/b></description></item><item><id>b</id></item></rss>",
        ),
    ],
)
async def test_a_merchant_feed_needs_no_templates(form: Format, data: str) -> None:
    store = await store_with(data)
    await plan(store, manifest=feed(form))
    assert prompts(store) == {"a": f"Product photo of Chair {SCENE} oak"}
    assert [what for _, what in faults(store)] == ["the prompt is empty"]


async def test_images_of_a_product_are_given_by_their_place() -> None:
    store = await store_with(EXPORT)
    images = ["{{ row.images | first }}", "{{ row.images | slice: 1 }}"]
    await plan(store, manifest=feed("shopify-products") | {"images": images})

    found = {item.custom_id: item.request.images for item in planned(store) if item.request}
    assert found["vase"] == ()
    assert found["chair"] == ("https://shop.example/1.jpg", "https://shop.example/2.jpg")


async def test_another_encoding_is_read_where_it_is_said() -> None:
    store = await store_with("id,text\na,Öl\n".encode("windows-1252"))
    await plan(store, manifest=FILE | {"encoding": "windows-1252"})
    assert prompts(store) == {"a": "Öl"}
    assert (await plan(store, workflow_run="run_1", manifest=FILE)).failure == "manifest_unreadable"


# --- variants ------------------------------------------------------------------------------------


async def test_words_of_a_variant_follow_the_prompt() -> None:
    store = await store_with("id,text\na,A chair\nb,\n")
    variants = [{"name": "plain"}, {"name": "forest", "words": "in a forest"}]
    await plan(store, manifest=FILE | {"variants": variants})

    found = {item.variant: item.request.prompt for item in planned(store) if item.request}
    assert found == {"plain": "A chair", "forest": "A chair in a forest"}
    assert [what for _, what in faults(store)] == ["the prompt is empty"] * 2


async def test_words_count_to_the_length_of_a_prompt() -> None:
    store = await store_with(f"id,text\na,{'x' * 31_999}\n")
    await plan(store, manifest=FILE | {"variants": [{"name": "v", "words": "y"}]})
    assert faults(store) == [(2, "the prompt has 32001 characters; at most 32000 are allowed")]


# --- many bad rows -------------------------------------------------------------------------------


async def test_every_bad_row_of_an_estimate_is_in_the_store_and_none_in_the_engine() -> None:
    rows = "".join(f"row-{number},{'' if number % 2 else 'x'}\n" for number in range(5_000))
    store = await store_with("id,text\n" + rows)
    found = await estimate(store, manifest=FILE)
    told = [json.loads(line) for line in store.data(bad_rows_key("t", "job_1")).splitlines()]

    assert (found.plan.items, found.plan.invalid_rows) == (5_000, 2_500)
    assert [row["line"] for row in told] == [number + 2 for number in range(5_000) if number % 2]
    assert told[0] == {"line": 3, "custom_id": "row-1", "detail": "the prompt is empty"}
    assert "row-1" not in found.model_dump_json()


async def test_an_id_that_is_too_long_is_not_repeated() -> None:
    store = await store_with(f"id,text\n{'x' * 257},a\n{'y' * 256},b\n")
    await plan(store, manifest=FILE)
    assert [item.custom_id for item in planned(store)] == ["line-2", "y" * 256]


async def test_half_a_character_spoils_its_row_alone() -> None:
    store = await store_with('{"id": "a", "text": "\\ud800"}\n{"id": "b", "text": "x"}\n')
    answer = await plan(store, manifest=FILE | {"format": "jsonl"})
    assert (answer.items, answer.invalid_rows) == (2, 1)


# --- size ----------------------------------------------------------------------------------------


async def test_more_items_than_a_job_can_have_fail_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_ITEMS", 600)
    assert (await plan(MemoryStore(), items=items(600))).failure is None
    answer = await plan(MemoryStore(), items=items(601))

    assert answer.failure == "too_many_items"
    assert "600" in str(answer.failure_detail)
    assert (answer.items, answer.chunks) == (0, [])


def test_the_plan_of_a_million_items_fits_into_an_answer_to_the_engine() -> None:
    most = 10**18
    names = [f"gpt-image-2.{number}-flare-2026-01-01" for number in range(12)]
    chunk = PlannedChunk(items=500, maximum_nano=most, expected_nano=most, invalid=500, uncertain=names)
    chunks = planning.MOST_ITEMS // CHUNK_ITEMS
    assert len(Plan(chunks=[chunk] * chunks).model_dump_json()) < PAYLOAD


async def test_a_plan_whose_writing_fails_waits_for_what_is_being_written() -> None:
    store = MemoryStore()
    await store.put(plan_key("t", "job_1", 1), b"another plan")
    answer = await plan(store, items=items(3_000))

    assert answer.failure == "manifest_unreadable"
    assert "other items on a second try" in str(answer.failure_detail)


# --- names ---------------------------------------------------------------------------------------

NASTY = [
    "../../etc/passwd", "..", ".", "...", "/etc/passwd", "//", "a/../../b", "..\\..\\windows", "%2e%2e",
    "%2e%2e/x", "%2E%2E%2Fx", "%252e%252e", "a\0b", "\0", " ", "\u200b", "\u202ename", "\u2024\u2024",
    "\uff0e\uff0e", "a" * 256, "é" * 256, "caf\u00e9", "cafe\u0301", "SKU", "sku", "Sku", "ß", "SS",
    "ﬁ", "fi", "\u212b", "\u00c5", "a/b", "a_b", "a\\b", "a b", " a b ", "a?b#c", "a:b", "con",
    "nul.png", "~", "-", "😀", "😁",
]  # fmt: skip


@pytest.mark.parametrize(
    "key",
    [
        None,
        "{{ custom_id }}.{{ ext }}",
        "{{ custom_id }}/{{ n }}.{{ ext }}",
        "x/{{ custom_id }}{{ custom_id }}",
        "{{ custom_id }}%2f{{ n }}",
        "{{ custom_id | url_decode }}",
        "{{ custom_id | url_decode | url_decode }}/{{ n }}",
        "{{ custom_id | replace: '_', '/' }}",
        "{{ custom_id | upcase }}",
        "{{ custom_id | slice: 0, 5 }}",
        "../{{ custom_id }}",
        "/{{ custom_id }}",
        "{{ custom_id }}/",
        "%2e%2e/{{ custom_id }}",
        "%2E./{{ custom_id }}",
        "same",
        "{{ n }}",
        "{{ nothing }}",
    ],
)
async def test_names_stay_below_their_job_and_never_meet(key: str | None) -> None:
    store = MemoryStore()
    rows = [{"custom_id": text, "prompt": "x", "n": 2 if text == "sku" else 1} for text in NASTY]
    await plan(store, items=rows, key=key)

    sound = [item for item in planned(store) if not item.problem]
    names = [name for item in sound for name in item.names]
    assert len(set(names)) == len(names)
    if key is None:
        assert sorted(item.custom_id for item in sound) == sorted(NASTY)
    for name in names:
        parts = image_key("shop", "job_1", name).split("/")
        assert parts[:2] == ["shop", "job_1"]
        assert not {"", ".", "..", "%2e%2e", "%2E."} & set(parts)
        assert name.isprintable()
        assert "\\" not in name
        assert len(name.encode()) <= 700


def test_a_stored_manifest_of_before_still_means_the_same() -> None:
    manifest = Manifest.model_validate(FILE)
    assert (manifest.encoding, manifest.variants) == ("auto", [])
