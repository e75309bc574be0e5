"""How large a rendition is, by the image that it is made of."""

from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.renditions import THUMBNAIL_SPEC, Rendition

SIDES = st.integers(1, 10_000)
BOUNDS = st.integers(16, 4096)


@given(SIDES, SIDES, BOUNDS, BOUNDS | st.none())
def test_inside_fits_keeps_the_shape_and_never_enlarges(
    width: int, height: int, most_wide: int, most_high: int | None
) -> None:
    wide, high = Rendition(name="a", width=most_wide, height=most_high).size_of(width, height)

    assert 1 <= wide <= min(most_wide, width)
    assert 1 <= high <= height
    assert most_high is None or high <= most_high
    assert wide == 1 or high == 1 or abs(wide * height - high * width) <= max(width, height)


@given(SIDES, SIDES, BOUNDS, BOUNDS, st.sampled_from(["cover", "contain"]))
def test_cover_and_contain_have_exactly_their_size(width: int, height: int, w: int, h: int, fit: str) -> None:
    spec = Rendition.model_validate({"name": "a", "width": w, "height": h, "fit": fit})
    assert spec.size_of(width, height) == (w, h)


def test_a_thumbnail_has_320_pixels_at_its_longer_side() -> None:
    assert THUMBNAIL_SPEC.size_of(1024, 1536) == (213, 320)
    assert THUMBNAIL_SPEC.size_of(100, 50) == (100, 50)
