"""Provenance manifests are found by walking the containers."""

import io
import random

import pytest
from PIL import Image

from imagemill.provenance import _MOST_PARTS, has_manifest
from imagemill.sniff import content_type, facts_of
from tests.fakes.provider import picture
from tests.fakes.signing import MIME_TYPES, claim_of, signed

FORMS = sorted(MIME_TYPES)
PLAIN = {form: picture("red", form, (64, 64)) for form in FORMS}
SIGNED = {form: signed(PLAIN[form], form) for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_a_signed_image_has_a_manifest_and_a_plain_one_has_none(form: str) -> None:
    assert claim_of(SIGNED[form], form)["title"] == "signed for a test"
    assert has_manifest(SIGNED[form])
    assert not has_manifest(PLAIN[form])


@pytest.mark.parametrize("form", FORMS)
def test_the_facts_tell_of_it(form: str) -> None:
    plain, with_it = facts_of(PLAIN[form]), facts_of(SIGNED[form])

    assert (plain.c2pa, with_it.c2pa) == (False, True)
    assert (with_it.format, with_it.width, with_it.height) == (form.lower(), 64, 64)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_cut_off_anywhere_breaks_nothing(form: str) -> None:
    data = SIGNED[form]

    for end in [*range(200), *range(200, len(data), 997)]:
        has_manifest(data[:end])
        facts_of(data[:end])


@pytest.mark.parametrize("form", FORMS)
def test_what_is_garbled_breaks_nothing(form: str) -> None:
    chance = random.Random(7)
    for _ in range(300):
        data = bytearray(SIGNED[form])
        for _ in range(5):
            data[chance.randrange(400)] = chance.randrange(256)
        has_manifest(bytes(data))


def test_words_of_a_manifest_elsewhere_are_none() -> None:
    """The very bytes of a manifest, in a text chunk and after the end."""
    store = SIGNED["PNG"][SIGNED["PNG"].index(b"caBX") + 4 :][:2000]
    text = len(store).to_bytes(4, "big") + b"tEXt" + store + b"\0\0\0\0"
    plain = PLAIN["PNG"]

    assert not has_manifest(plain[:33] + text + plain[33:])
    assert not has_manifest(PLAIN["JPEG"] + store)
    assert not has_manifest(store)
    assert has_manifest(plain[:33] + text.replace(b"tEXt", b"caBX") + plain[33:])


def test_other_boxes_in_the_same_places_are_none() -> None:
    jumbf = (40).to_bytes(4, "big") + b"jumb" + (32).to_bytes(4, "big") + b"jumd" + b"\x11" * 24
    segment = b"JP" + b"\0\x01" + b"\0\0\0\x01" + jumbf
    jpeg = PLAIN["JPEG"]

    assert not has_manifest(
        jpeg[:2] + b"\xff\xeb" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:]
    )


def test_of_a_box_over_several_segments_the_first_counts() -> None:
    """Those that follow repeat its head, and are numbered."""
    jpeg = SIGNED["JPEG"]
    at = jpeg.index(b"\xff\xeb")
    packet = slice(at + 8, at + 12)
    assert jpeg[packet] == b"\0\0\0\x01"
    later = bytearray(jpeg)
    later[packet] = b"\0\0\0\x02"
    end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")

    assert not has_manifest(bytes(later))
    assert has_manifest(jpeg[:end] + bytes(later[at:]))


def test_padding_before_a_marker_is_legal() -> None:
    jpeg = SIGNED["JPEG"]

    assert has_manifest(jpeg[:2] + b"\xff\xff\xff" + jpeg[2:])


def test_endless_parts_are_not_walked_to_the_end() -> None:
    many = b"\xff\xd8" + b"\xff\xe0\x00\x02" * (_MOST_PARTS + 10)

    assert not has_manifest(many + SIGNED["JPEG"][2:])
    assert has_manifest(many[:402] + SIGNED["JPEG"][2:])


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"RIFF", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"jumb" * 20])
def test_anything_else_has_none(data: bytes) -> None:
    assert not has_manifest(data)


def test_a_jpeg_with_a_preview_is_a_jpeg() -> None:
    both = io.BytesIO()
    Image.new("RGB", (64, 32)).save(both, "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    facts = facts_of(both.getvalue())

    assert (facts.format, content_type(facts)) == ("jpeg", "image/jpeg")
