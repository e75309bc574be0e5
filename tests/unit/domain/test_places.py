import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.ids import new_id
from imagemill.domain.places import (
    LONGEST_NAME,
    image_key,
    index_key,
    name_in_set,
    name_problem,
    rendition_key,
    safe_segment,
    thumbnail_key,
)

HARD = st.one_of(st.text(max_size=300), st.text(alphabet="./\\ aA_é\u0301\0\n", max_size=12))


@given(HARD, HARD)
def test_different_texts_never_share_a_segment(one: str, other: str) -> None:
    if one != other:
        assert safe_segment(one) != safe_segment(other)


@given(HARD)
def test_a_segment_is_safe_in_a_path(text: str) -> None:
    segment = safe_segment(text)

    assert segment not in ("", ".", "..")
    assert not {"/", "\\"} & set(segment)
    assert len(segment.encode()) <= 160
    assert name_problem(segment) is None


@pytest.mark.parametrize("text", ["sku-1001", "Öl 5,00 (groß)", "a.b+c=d@e"])
def test_a_plain_text_stays_as_it_is(text: str) -> None:
    assert safe_segment(text) == unicodedata.normalize("NFC", text)


def test_both_ways_to_write_an_accent_make_different_names() -> None:
    assert safe_segment("caf\u00e9") != safe_segment("cafe\u0301")


@pytest.mark.parametrize(
    "name",
    ["", "/", "a/", "/a", "a//b", "../a", "a/./b", "a/..", "a\\b", "a\nb", "a\0b", "a\u200bb", "x" * 701],
)
def test_a_name_that_no_image_can_have(name: str) -> None:
    assert name_problem(name)


@pytest.mark.parametrize("name", ["a", "a/b.png", ".hidden", "...", "Øl/1.png", "x" * LONGEST_NAME])
def test_a_name_that_an_image_can_have(name: str) -> None:
    assert name_problem(name) is None


def test_a_name_in_a_set_carries_its_reservation_before_the_extension() -> None:
    assert name_in_set("a.b/1.png", "r7") == "a.b/1.r7.png"
    assert name_in_set("plain", "r7") == "plain.r7"


def test_an_image_lies_under_prefix_and_job() -> None:
    assert image_key("/shop/pictures/", "job_1", "a/1.png") == "shop/pictures/job_1/a/1.png"
    assert image_key("", "job_1", "a.png") == "job_1/a.png"


def test_newer_jobs_come_first_in_the_index() -> None:
    keys = [index_key("t", "job", moment) for moment in (0, 999, 1_700_000_000_000, 1_800_000_000_000)]

    assert keys == sorted(keys, reverse=True)


def test_ids_sort_by_the_time_of_their_making(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for moment in (1, 999, 1_000, 1_700_000_000_000, 1_700_000_000_001, 3_000_000_000_000):
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment * 1_000_000)
        made.append(new_id("job"))

    assert made == sorted(made)
    assert {len(made_id) for made_id in made} == {4 + 26}


def test_ids_of_one_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)

    assert len({new_id("job") for _ in range(1000)}) == 1000


JOB = "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"


def test_smaller_copies_lie_in_folders_of_the_job() -> None:
    image = image_key("acme/images", JOB, "shoes/red/1.png")

    assert thumbnail_key(image) == f"acme/images/{JOB}/_thumbnails/shoes/red/1.png.webp"
    assert rendition_key(image, "web", "jpeg") == f"acme/images/{JOB}/_renditions/web/shoes/red/1.png.jpg"


NAMES = st.text(alphabet="ab._/jo", min_size=1, max_size=12).filter(lambda name: name_problem(name) is None)


@given(NAMES, NAMES)
def test_no_copy_takes_the_place_of_an_image_or_of_another_copy(one: str, other: str) -> None:
    images = {image_key("", JOB, name) for name in (one, other)}
    copies = [
        make(image)
        for image in images
        for make in (
            thumbnail_key,
            lambda image: rendition_key(image, "a", "webp"),
            lambda image: rendition_key(image, "a", "jpeg"),
            lambda image: rendition_key(image, "b", "webp"),
        )
    ]

    assert len({*images, *copies}) == len(images) + len(copies)


@pytest.mark.parametrize("name", ["_thumbnails/1.png", "_renditions/web/1.png", "_Thumbnails/1.png"])
def test_an_image_can_not_lie_among_the_copies(name: str) -> None:
    assert "smaller copies" in (name_problem(name) or "")
    assert name_problem(f"a/{name}") is None
