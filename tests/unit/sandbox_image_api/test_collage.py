"""What can be seen in the picture of an edit."""

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from sandbox.image_api import catalog, collage, drawing, order, pattern
from tests.unit.sandbox_image_api.files import attachments, mask, photo

CATALOG = catalog.load()


def drawn(*images: Image.Image, overlays: dict[str, Image.Image] | None = None, **fields: Any) -> bytes:
    body = {"prompt": "a vase", "model": "gpt-image-2.5-flare", "size": "1024x1024", **fields}
    return drawing.image(order.read_edit(body, attachments(*images, **(overlays or {})), CATALOG), 0)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def differs(one: Image.Image, other: Image.Image) -> tuple[int, int, int, int] | None:
    """The box of all pixels that differ."""
    return ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getbbox()


def resized(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    return image.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.LANCZOS)


def test_the_first_image_is_shown() -> None:
    data = drawn(photo())
    box = collage.layout(1024, 1024, (640, 480), 0).first
    assert differs(opened(data).crop(box), resized(photo(), box)) is None
    assert pattern.read(data) == pattern.of("a vase")


def test_the_other_images_are_shown_small() -> None:
    others = [photo(300, 300, seed=seed) for seed in (1, 2, 3)]
    data = drawn(photo(), *others)
    places = collage.layout(1024, 1024, (640, 480), 3)
    assert differs(opened(data).crop(places.first), resized(photo(), places.first)) is None
    for other, box in zip(others, places.others, strict=True):
        middle = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
        assert opened(data).getpixel(middle)[2] == other.getpixel((0, 0))[2]  # type: ignore[index]
    assert pattern.read(data) == pattern.of("a vase")


def test_markup_is_laid_over_the_first_image() -> None:
    marks = Image.new("RGBA", (640, 480))
    marks.paste("red", (0, 0, 320, 480))
    box = collage.layout(1024, 1024, (640, 480), 0).first
    shown = opened(drawn(photo(), overlays={"markup": marks})).crop(box)
    assert shown.getpixel((10, 10)) == (255, 0, 0)
    right = (shown.width // 2 + 8, 0, shown.width, shown.height)
    assert differs(shown.crop(right), resized(photo(), box).crop(right)) is None


@pytest.mark.parametrize("background", ["opaque", "transparent"])
def test_only_the_hole_of_the_mask_differs(background: str) -> None:
    overlays = {"mask": mask(hole=(160, 120, 319, 239))}
    data = drawn(photo(), overlays=overlays, size="1280x960", background=background)
    found = differs(opened(data), photo().resize((1280, 960), Image.Resampling.LANCZOS))
    assert found is not None
    left, top, right, bottom = found
    assert (left >= 320, top >= 240, right <= 640, bottom <= 480) == (True,) * 4


def test_a_hole_has_sharp_edges() -> None:
    cover = Image.new("RGBA", (2, 2), "black")
    cover.putpixel((1, 0), (0, 0, 0, 0))
    hole = collage.hole(cover, (64, 32))
    assert hole.getbbox() == (32, 0, 64, 16)
    assert hole.histogram()[255] == 32 * 16


def test_all_of_the_hole_is_drawn_anew() -> None:
    everything = Image.new("RGBA", (640, 480))
    generated = order.read({"prompt": "a vase", "model": "gpt-image-2.5-flare"}, CATALOG)
    edited = drawn(photo(), overlays={"mask": everything})
    assert differs(opened(edited), opened(drawing.image(generated, 0))) is None


def test_a_mask_that_is_not_quite_transparent_hides_all() -> None:
    cover = Image.new("RGBA", (640, 480), (0, 0, 0, 1))
    data = drawn(photo(), overlays={"mask": cover}, size="1280x960")
    assert differs(opened(data), photo().resize((1280, 960), Image.Resampling.LANCZOS)) is None


def test_the_pattern_can_be_read_through_a_hole_that_shows_it() -> None:
    data = drawn(photo(), photo(), overlays={"mask": mask(hole=(0, 0, 640, 160))})
    assert pattern.read(data) == pattern.of("a vase")


@st.composite
def edits(draw: st.DrawFn) -> dict[str, Any]:
    side = st.integers(1, 900)
    return {
        "shapes": draw(st.lists(st.tuples(side, side), min_size=1, max_size=16)),
        "size": draw(st.sampled_from(["1024x1024", "1408x480", "480x1408", "816x816", "1536x864"])),
        "output_format": draw(st.sampled_from(["png", "jpeg", "webp"])),
    }


@settings(max_examples=15, deadline=None)
@given(edits())
def test_every_edit_without_a_mask_says_which_prompt_made_it(edit: dict[str, Any]) -> None:
    images = [photo(*shape) for shape in edit.pop("shapes")]
    assert pattern.read(drawn(*images, **edit)) == pattern.of("a vase")


def test_an_edit_can_have_no_backdrop() -> None:
    image = opened(drawn(photo(), background="transparent"))
    assert image.mode == "RGBA"
    assert image.getpixel((1, 512)) == (0, 0, 0, 0)
