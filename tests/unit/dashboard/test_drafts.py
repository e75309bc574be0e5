"""What is typed into the submit form, as a submission; what is wrong with it, by field."""

import json

import pytest

from api.models import JobBody
from dashboard.drafts import Draft, ItemsUnread, items_of, read, typed_job
from dashboard.faults import Faults, blame, field_of
from imagemill.domain.errors import InvalidInput

FILE = "file_" + "0" * 26
TYPED = {
    "source": "file",
    "file_id": FILE,
    "format": "csv",
    "id": "{{ row.sku }}",
    "prompt": "Photo of {{ row.title }}",
    "images": "{{ row.image }}\n\n",
    "variant-0-name": "square",
    "variant-1-name": "beach",
    "variant-1-words": "on a beach",
    "model": "gpt-image-2",
    "output_format": "webp",
    "n": "2",
    "limit_usd": "$1,250.00",
    "on_exhausted": "skip",
    "on_unknown": "retry",
    "priority": "3",
    "webhook_url": "https://hooks.example/x",
}


def test_a_full_form_is_a_submission() -> None:
    body = Draft(TYPED).body()

    assert body.manifest is not None
    assert body.manifest.images == ["{{ row.image }}"]
    assert [(each.name, each.words) for each in body.manifest.variants] == [
        ("square", None),
        ("beach", "on a beach"),
    ]
    assert (body.defaults.model, body.defaults.n, body.defaults.size) == ("gpt-image-2", 2, None)
    assert (body.budget.limit_usd, body.budget.on_exhausted) == ("1250.00", "skip")
    assert body.webhook is not None


def test_the_cap_of_an_estimate_needs_no_cap_in_the_form() -> None:
    faults = Faults()
    body = read(Draft({**TYPED, "limit_usd": ""}), faults, cap="5.00")

    assert body is not None
    assert body.budget.limit_usd == "5.00"
    assert not faults


def test_an_empty_form_says_at_each_field_what_it_needs() -> None:
    faults = Faults()

    assert read(Draft.new(), faults) is None
    assert set(faults.fields) == {"file", "id", "prompt", "limit_usd"}
    assert faults.of("limit_usd") == "set a cap: what the job may cost at most"
    assert faults.of("model") is None


@pytest.mark.parametrize(
    ("name", "typed", "at"),
    [
        ("limit_usd", "much", "limit_usd"),
        ("limit_usd", "1,2", "limit_usd"),
        ("n", "many", "n"),
        ("size", "big", "size"),
        ("variant-1-size", "big", "variant-1-size"),
        ("variant-0-name", "a b", "variant-0-name"),
        ("webhook_url", "x" * 5000, "webhook_url"),
        ("name", "a\x01b", "name"),
        ("priority", "9", "priority"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(name: str, typed: str, at: str) -> None:
    faults = Faults()

    assert read(Draft({**TYPED, name: typed}), faults) is None
    assert list(faults.fields) == [at]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("/manifest/file_id", "file"),
        ("line 3", "file"),
        ("/manifest/images/0", "images"),
        ("/manifest/variants", "variant-0-name"),
        ("/manifest/variants/2/quality", "variant-2-quality"),
        ("/renditions/1/width", "rendition-1-width"),
        ("/defaults/model", "model"),
        ("/items/7/prompt", "items"),
        ("/manifest/source/newest", "s_source_at"),
        ("/output/key", "key"),
        ("/pools/0", "pool"),
        ("/webhook/url", "webhook_url"),
        ("/something/else", None),
        ("", None),
    ],
)
def test_every_place_of_a_submission_has_its_field(place: str, name: str | None) -> None:
    assert field_of(place) == name


def test_what_the_api_finds_is_put_beside_its_fields() -> None:
    faults = Faults()
    problems = [("/items/1/prompt", "is too long"), ("/metadata/x", "is wrong")]
    blame(faults, InvalidInput([*problems, ("/defaults/model", "no model is named, neither here nor there")]))

    assert faults.of("items") == "item 2: is too long"
    assert faults.of("model") == "choose a model"
    assert faults.others == ["/metadata/x: is wrong"]


def test_listed_items_are_prompts_or_ids_with_prompts_or_json() -> None:
    text = 'A red chair\n\nsku-2\tA table\n{"custom_id": "x", "prompt": "A lamp", "size": "1024x1024"}\n'

    assert list(items_of(text)) == [
        {"custom_id": "item-1", "prompt": "A red chair"},
        {"custom_id": "sku-2", "prompt": "A table"},
        {"custom_id": "x", "prompt": "A lamp", "size": "1024x1024"},
    ]


@pytest.mark.parametrize("text", ['{"custom_id": ', "{" * 100_000, "a\n" * 10_001])
def test_a_line_that_can_t_be_read_says_so(text: str) -> None:
    with pytest.raises(ItemsUnread):
        list(items_of(text))


def test_listed_items_are_a_submission_without_a_feed() -> None:
    said = json.loads(Draft({**TYPED, "source": "items", "items": "A chair"}).body().model_dump_json())

    assert said["manifest"] is None
    assert [item["prompt"] for item in said["items"]] == ["A chair"]


def test_a_schedules_feed_may_be_looked_for_by_each_run() -> None:
    typed = {**TYPED, "s_every": "daily", "s_source": "newest", "s_source_at": "s3://feeds/shop/"}
    body = Draft(typed).body()

    assert body.manifest is not None
    assert body.manifest.file_id is None
    assert body.manifest.source is not None
    assert body.manifest.source.newest == "s3://feeds/shop/"
    again = typed_job(body.model_dump(mode="json", exclude_none=True))
    assert (again["s_source"], again["s_source_at"]) == ("newest", "s3://feeds/shop/")


@pytest.mark.parametrize("source", ["file", "items"])
def test_a_submission_is_the_form_that_says_it_again(source: str) -> None:
    body = Draft({**TYPED, "source": source, "items": "a\tA chair"}).body()
    again = Draft(typed_job(body.model_dump(mode="json", exclude_none=True)))

    assert again.body() == body


def test_every_new_form_makes_a_job_of_its_own() -> None:
    assert Draft.new().text("once") != Draft.new().text("once")


def test_the_form_knows_every_field_of_a_submission() -> None:
    elsewhere = {"prices", "metadata"}
    placed = {"manifest", "defaults", "items", "output", "budget", "webhook", "pools", "renditions"}
    known = placed | {"name", "priority", "on_unknown", "reuse"} | elsewhere

    assert set(JobBody.model_fields) <= known
