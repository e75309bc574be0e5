import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from sandbox.image_api import pattern, picture
from sandbox.image_api.pattern import Pattern, PatternAbsentError, PatternDamagedError

PROMPTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
    st.sampled_from(
        [
            "Una taza de café, ¿con azúcar? ¡Sí!",
            "窗台上的一只猫、水彩画",
            "قطة على حافة النافذة",
            "Кошка на подоконнике, акварель",
            "창가의 고양이",
            "窓辺の猫、水彩画",
            "γάτα στο παράθυρο",
            "חתול על אדן החלון",
            "खिड़की पर बिल्ली",
            "Kot na parapecie, łąka, źdźbło",
            "👩🏽‍🎨 paints 🐈",
            "word " * 6000,
        ]
    ),
)


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int]:
    """Legal sizes up to two megapixels, so that drawing them stays quick."""
    short = draw(st.integers(30, 88))
    least = max(short, -(-2560 // short))
    long = draw(st.integers(least, max(least, min(3 * short, 8000 // short))))
    sides = (16 * short, 16 * long)
    return draw(st.sampled_from([sides, sides[::-1]]))


@st.composite
def drawings(draw: st.DrawFn) -> dict[str, Any]:
    """What `picture.draw` can be asked for, besides the prompt."""
    width, height = draw(sizes())
    output_format = draw(st.sampled_from(["png", "jpeg", "webp"]))
    return {
        "width": width,
        "height": height,
        "number": draw(st.integers(0, 9)),
        "output_format": output_format,
        "compression": draw(st.just(0) | st.integers(0, 100)),
        "transparent": output_format != "jpeg" and draw(st.booleans()),
    }


def _check_round_trip(prompt: str, drawing: dict[str, Any]) -> None:
    image = picture.draw(prompt, **drawing)
    opened = Image.open(io.BytesIO(image))
    assert opened.size == (drawing["width"], drawing["height"])
    assert opened.format == drawing["output_format"].upper()
    assert pattern.read(image) == pattern.of(prompt, drawing["number"])


@settings(max_examples=60, deadline=None)
@given(prompt=PROMPTS, drawing=drawings())
def test_every_picture_says_which_prompt_made_it(prompt: str, drawing: dict[str, Any]) -> None:
    _check_round_trip(prompt, drawing)


@pytest.mark.parametrize("size", [(3840, 2160), (3840, 1280), (1408, 480), (480, 1408), (2880, 2880)])
@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_every_shape_survives_the_strongest_compression(size: tuple[int, int], output_format: str) -> None:
    drawing = {
        "width": size[0],
        "height": size[1],
        "number": 9,
        "output_format": output_format,
        "compression": 0,
    }
    _check_round_trip("窗台上的一只猫", drawing)


def _encoded(image: Image.Image) -> bytes:
    return picture.encode(image, "png", 100)


def test_one_band_is_enough() -> None:
    image = picture.paint("a vase", width=1024, height=1024)
    ImageDraw.Draw(image).rectangle((0, 0, 1024, 500), fill="white")
    assert pattern.read(_encoded(image)) == pattern.of("a vase")


def test_two_damaged_bands_are_damage() -> None:
    image = picture.paint("a vase", width=1024, height=1024)
    for top in (16, 1024 - 64):
        ImageDraw.Draw(image).rectangle((0, top, 700, top + 32), fill="white")
    with pytest.raises(PatternDamagedError):
        pattern.read(_encoded(image))


@pytest.mark.parametrize("image", [b"", b"no image", b"\x89PNG\r\n\x1a\nbroken"])
def test_other_bytes_carry_no_pattern(image: bytes) -> None:
    with pytest.raises(PatternAbsentError):
        pattern.read(image)


@pytest.mark.parametrize("size", [(1024, 1024), (8, 8), (64, 64)])
def test_other_pictures_carry_no_pattern(size: tuple[int, int]) -> None:
    with pytest.raises(PatternAbsentError):
        pattern.read(_encoded(Image.new("RGB", size, "white")))


def test_a_cut_file_carries_no_pattern() -> None:
    with pytest.raises(PatternAbsentError):
        pattern.read(picture.draw("a vase")[:5000])


def test_a_pattern_can_be_drawn_on_any_image() -> None:
    image, made = Image.new("RGB", (1024, 1024), "red"), Pattern(bytes(range(32)), 7)
    pattern.draw(image, made)
    assert pattern.read(_encoded(image)) == made


def test_transparent_pictures_have_no_backdrop() -> None:
    image = Image.open(io.BytesIO(picture.draw("a vase", transparent=True)))
    assert image.mode == "RGBA"
    assert image.getpixel((5, 512)) == (0, 0, 0, 0)


def test_pictures_of_one_prompt_differ_by_number() -> None:
    assert picture.draw("a vase", number=0) != picture.draw("a vase", number=1)
    assert picture.draw("a vase", number=1) == picture.draw("a vase", number=1)
