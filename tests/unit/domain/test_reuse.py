"""Which requests are the same: everything that is sent counts, and nothing else does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.item import DeliveredImage, ItemResult
from imagemill.domain.request import ImageRequest
from imagemill.domain.reuse import answers_whole, request_hash

A, B, C = "https://shop.example/a.png", "s3://shop/b.png", "file_" + "0" * 26
PLAIN = "bdffb7964510119ef8e789de957724e8cccbb339f0ff1182ec0bb83d583ff011"
BYTES = {A: "aa" * 32, B: "bb" * 32, C: "cc" * 32}
FULL: dict[str, Any] = {
    "prompt": "a chair", "model": "m", "size": "1024x1024", "quality": "low", "output_format": "webp",
    "output_compression": 80, "background": "opaque", "moderation": "low", "n": 2, "input_fidelity": "high",
    "complexity": "low", "safety_identifier": "x", "images": (A, B), "mask": C,
}  # fmt: skip
OTHER: dict[str, Any] = {
    "prompt": "a chair ", "model": "m2", "size": "auto", "quality": "high", "output_format": "jpeg",
    "output_compression": 0, "background": "auto", "moderation": "auto", "n": 1, "input_fidelity": "low",
    "complexity": "high", "safety_identifier": "y", "images": (B, A), "mask": None, "markup": C,
}  # fmt: skip


def hashed(**said: Any) -> str:
    return request_hash(ImageRequest(**FULL | said), BYTES)


def test_every_field_of_a_request_is_told_apart_here() -> None:
    assert set(OTHER) == set(ImageRequest.model_fields)


@pytest.mark.parametrize("name", sorted(OTHER))
def test_a_request_that_differs_in_anything_is_another_one(name: str) -> None:
    assert hashed(**{name: OTHER[name]}) != hashed()


@given(st.sets(st.sampled_from(sorted(OTHER))), st.sets(st.sampled_from(sorted(OTHER))))
def test_two_requests_have_one_hash_only_if_they_are_the_same(some: set[str], others: set[str]) -> None:
    one, two = ({name: OTHER[name] for name in names} for names in (some, others))
    assert (hashed(**one) == hashed(**two)) == (some == others)


@given(st.text(max_size=20), st.text(max_size=20))
def test_prompts_are_the_same_only_letter_by_letter(one: str, other: str) -> None:
    assert (hashed(prompt=one) == hashed(prompt=other)) == (one == other)


def test_an_image_is_known_by_its_bytes_and_not_by_where_it_lies() -> None:
    moved = "https://cdn.example/moved.png?sig=new"
    elsewhere = ImageRequest(**FULL | {"images": (moved, B)})

    assert request_hash(elsewhere, BYTES | {moved: BYTES[A]}) == hashed()
    assert request_hash(ImageRequest(**FULL), BYTES | {A: "dd" * 32}) != hashed()
    assert request_hash(ImageRequest(**FULL), BYTES | {C: "dd" * 32}) != hashed()


def test_a_hash_stays_what_it_is() -> None:
    """What was bought before an upgrade is found after it; if this fails, raise ``VERSION``."""
    plain = ImageRequest(prompt="a chair", model="m")
    assert request_hash(plain, {}) == PLAIN


def image(form: str = "png") -> DeliveredImage:
    return DeliveredImage(key="k", sha256="ab" * 32, bytes=1, width=1, height=1, format=form)


@pytest.mark.parametrize(
    ("state", "images", "whole"),
    [
        ("succeeded", [image(), image()], True),
        ("succeeded", [image()], False),
        ("succeeded", [image(), image("jpeg")], False),
        ("blocked", [], False),
    ],
)
def test_only_a_whole_answer_answers_another_item(
    state: Any, images: list[DeliveredImage], whole: bool
) -> None:
    request = ImageRequest(prompt="x", model="m", n=2)
    result = ItemResult(index=0, custom_id="a", state=state, images=images)
    assert answers_whole(request, result) is whole
