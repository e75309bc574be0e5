import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.image_api import catalog, tokens

CATALOG = catalog.load()
QUALITIES = ("low", "medium", "high", "xhigh", "max")

PUBLISHED = [
    ("gpt-image-2", "1024x1024", (196, 1756, 7024)),
    ("gpt-image-2", "1024x1536", (158, 1372, 5488)),
    ("gpt-image-2", "1536x864", (120, 1078, 4312)),
    ("gpt-image-2", "2048x2048", (397, 3568, 14272)),
    ("gpt-image-2", "2560x1440", (205, 1843, 7370)),
    ("gpt-image-2", "3840x2160", (371, 3336, 13342)),
    ("gpt-image-2", "2880x2880", (659, 5930, 23719)),
    ("gpt-image-2.5-flare", "1024x1024", (196, 439, 1756, 3122, 7024)),
    ("gpt-image-2.5-flare", "1024x1536", (158, 343, 1372, 2459, 5488)),
    ("gpt-image-2.5-flare", "1536x864", (120, 280, 1078, 1917, 4312)),
    ("gpt-image-2.5-flare", "2048x2048", (397, 892, 3568, 6343, 14272)),
    ("gpt-image-2.5-flare", "2560x1440", (205, 478, 1843, 3276, 7370)),
    ("gpt-image-2.5-flare", "3840x2160", (371, 865, 3336, 5930, 13342)),
    ("gpt-image-2.5-flare", "2880x2880", (659, 1483, 5930, 10542, 23719)),
    ("gpt-image-1-mini", "1024x1024", (272, 1056, 4160)),
    ("gpt-image-1-mini", "1024x1536", (408, 1584, 6240)),
    ("gpt-image-1-mini", "1536x1024", (400, 1568, 6208)),
    ("gpt-image-1.5", "1024x1024", (272, 1056, 4160)),
]


@pytest.mark.parametrize(("model", "size", "figures"), PUBLISHED)
def test_image_tokens_are_the_published_ones(model: str, size: str, figures: tuple[int, ...]) -> None:
    width, height = map(int, size.split("x"))
    family = CATALOG.models[model].family
    assert family.qualities == QUALITIES[: len(figures)]
    drawn = tuple(tokens.image_tokens(family, quality, width, height) for quality in family.qualities)
    assert drawn == figures


@pytest.mark.parametrize("quality", QUALITIES)
def test_2_6_stays_under_its_presumed_bound(quality: str) -> None:
    bound = {"low": 4.3, "medium": 4.0}.get(quality, 1.05)
    of = {name: CATALOG.models[f"gpt-image-{name}-flare"].family for name in ("2.5", "2.6")}
    newer = tokens.image_tokens(of["2.6"], quality, 1024, 1024)
    assert newer <= bound * tokens.image_tokens(of["2.5"], quality, 1024, 1024)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_text_tokens_never_exceed_the_bytes_and_the_frame(prompt: str) -> None:
    assert 6 < tokens.text_tokens(prompt) <= len(prompt.encode()) + 6


def test_1_5_adds_text_around_its_mean() -> None:
    family = CATALOG.models["gpt-image-1.5"].family
    usage = tokens.usage(family, "a vase", "low", width=1024, height=1024, images=10)
    assert 10 * 207 * 0.8 <= usage.text_out <= 10 * 207 * 1.2
    assert usage.as_json()["output_tokens"] == usage.text_out + 2720


def test_the_cost_is_in_nano_dollars() -> None:
    usage = tokens.Usage(text_in=20, image_out=196, text_out=0)
    assert usage.cost_nano(CATALOG.models["gpt-image-2"].family.prices) == 20 * 5_000 + 196 * 30_000


def test_the_grid_rounds_half_up() -> None:
    # 16 * 1088 / 2048 is 8.5.
    assert tokens.grid_tokens(16, 1088, 2048) == -(-16 * 9 * (2_000_000 + 1088 * 2048) // 4_000_000)
