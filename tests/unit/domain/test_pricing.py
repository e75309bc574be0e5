from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.catalogue import Catalogue
from imagemill.domain.pricing import (
    Estimate,
    Flat,
    Grid,
    Inputs,
    Metered,
    Model,
    Prices,
    Table,
    Usage,
    output_tokens,
    size_problem,
)
from imagemill.domain.request import ImageRequest

CATALOGUE = Catalogue.load()
THREE = ("low", "medium", "high")
FIVE = ("low", "medium", "high", "xhigh", "max")
TOKENS_OF_ONE = {
    "1024x1024": (272, 1056, 4160),
    "1024x1536": (408, 1584, 6240),
    "1536x1024": (400, 1568, 6208),
}
TOKENS_OF_TWO = {
    "1024x1024": (196, 1756, 7024),
    "1024x1536": (158, 1372, 5488),
    "1536x864": (120, 1078, 4312),
    "2048x2048": (397, 3568, 14272),
    "2560x1440": (205, 1843, 7370),
    "3840x2160": (371, 3336, 13342),
    "2880x2880": (659, 5930, 23719),
}
TOKENS_OF_TWO_AND_A_HALF = {
    "1024x1024": (196, 439, 1756, 3122, 7024),
    "1024x1536": (158, 343, 1372, 2459, 5488),
    "1536x864": (120, 280, 1078, 1917, 4312),
    "2048x2048": (397, 892, 3568, 6343, 14272),
    "2560x1440": (205, 478, 1843, 3276, 7370),
    "3840x2160": (371, 865, 3336, 5930, 13342),
    "2880x2880": (659, 1483, 5930, 10542, 23719),
}
OF_ONE = ("gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "chatgpt-image-latest")
OF_TWO = ("gpt-image-2", "gpt-image-2-2026-04-21")
OF_TWO_AND_A_HALF = (
    "gpt-image-2.5-flare",
    "gpt-image-2.5-flare-2026-09-08",
    "gpt-image-2.5-sunburst",
    "gpt-image-2.5-sunburst-2026-09-08",
)
OF_TWO_SIX = ("gpt-image-2.6-flare", "gpt-image-2.6-sunburst")
PUBLISHED = [
    (model, size, quality, tokens)
    for models, qualities, table in (
        (OF_ONE, THREE, TOKENS_OF_ONE),
        (OF_TWO, THREE, TOKENS_OF_TWO),
        (OF_TWO_AND_A_HALF, FIVE, TOKENS_OF_TWO_AND_A_HALF),
    )
    for model in models
    for size, row in table.items()
    for quality, tokens in zip(qualities, row, strict=True)
]
# Text in, image in, image out, text out: US dollars per million tokens.
PRICES = {
    "gpt-image-1": ("5", "10", "40", "0"),
    "gpt-image-1-mini": ("2", "2.50", "8", "0"),
    "gpt-image-1.5": ("5", "8", "32", "10"),
    "chatgpt-image-latest": ("5", "8", "32", "10"),
    "gpt-image-2": ("5", "8", "30", "10"),
    "gpt-image-2-2026-04-21": ("5", "8", "30", "10"),
    **dict.fromkeys(OF_TWO_AND_A_HALF, ("5", "8", "30", "0")),
    **dict.fromkeys(OF_TWO_SIX, ("5", "8", "30", "10")),
}
CACHED = {
    "gpt-image-1": (1_250, 2_500),
    "gpt-image-1-mini": (200, 250),
    **dict.fromkeys((*OF_ONE[2:], *OF_TWO, *OF_TWO_AND_A_HALF, *OF_TWO_SIX), (1_250, 2_000)),
}


def request(**said: object) -> ImageRequest:
    return ImageRequest.model_validate({"prompt": "", "model": "gpt-image-2.5-flare"} | said)


def metered(name: str) -> Metered:
    rate = CATALOGUE.model(name).rate
    assert isinstance(rate, Metered)
    return rate


def test_the_tests_know_every_model() -> None:
    assert set(CATALOGUE.names) == {*OF_ONE, *OF_TWO, *OF_TWO_AND_A_HALF, *OF_TWO_SIX} == set(PRICES)
    assert set(CATALOGUE.names) == set(CACHED)


# --- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "size", "quality", "tokens"), PUBLISHED)
def test_every_published_figure(name: str, size: str, quality: str, tokens: int) -> None:
    band = metered(name).output.tokens(quality, size)

    assert (band.low, band.expected, band.high) == (tokens, tokens, tokens)
    if name not in OF_ONE:
        width, height = size.split("x")
        assert metered(name).output.tokens(quality, f"{height}x{width}") == band


def test_no_shipped_model_has_both_a_table_and_a_formula() -> None:
    assert all(isinstance(metered(name).output, Table) == (name in OF_ONE) for name in CATALOGUE.names)


@pytest.mark.parametrize("name", OF_TWO_SIX)
def test_what_has_no_formula_counts_the_older_ones_times_an_upper_bound(name: str) -> None:
    output = metered(name).output
    bands = {quality: output.tokens(quality, "1024x1024") for quality in FIVE}

    assert [band.high for band in bands.values()] == [843, 1756, 1844, 3279, 7376]
    assert [band.low for band in bands.values()] == [196, 439, 1756, 3122, 7024]
    assert all(band.expected == band.high for band in bands.values())


@pytest.mark.parametrize(
    ("width", "height", "high_fidelity", "tokens"),
    [
        (1024, 1024, False, 65 + 129),
        (300, 300, False, 65 + 129),
        (1024, 1536, False, 65 + 2 * 129),
        (1537, 512, False, 65 + 4 * 129),
        (1024, 1024, True, 65 + 129 + 4160),
        (1536, 1024, True, 65 + 2 * 129 + 6240),
    ],
)
@pytest.mark.parametrize("name", OF_ONE)
def test_an_input_image_in_tiles(
    name: str, width: int, height: int, *, high_fidelity: bool, tokens: int
) -> None:
    assert added(name, Inputs(references=((width, height),), high_fidelity=high_fidelity)) == (
        (tokens * metered(name).prices.image_in,) * 3
    )


@pytest.mark.parametrize(
    ("width", "height", "about"),
    [(1024, 1024, 1024), (512, 512, 256), (1000, 700, 684), (1536, 1024, 1536), (2048, 2048, 1536)],
)
@pytest.mark.parametrize("high_fidelity", [False, True])
@pytest.mark.parametrize("name", OF_TWO + OF_TWO_AND_A_HALF + OF_TWO_SIX)
def test_an_input_image_by_its_area_reserves_the_most(
    name: str, width: int, height: int, *, about: int, high_fidelity: bool
) -> None:
    inputs = Inputs(references=((width, height),), high_fidelity=high_fidelity)

    assert added(name, inputs) == (about * 8_000, about * 8_000, 1536 * 8_000)


def test_every_input_image_is_counted_once_however_many_images_come_out() -> None:
    inputs = Inputs(references=((1024, 1024), (1024, 1536)))

    assert added("gpt-image-1", inputs, n=3) == ((194 + 323) * 10_000,) * 3


def test_partial_images_are_counted_for_each_image() -> None:
    assert added("gpt-image-2", Inputs(partial_images=3), n=2) == (0, 2 * 300 * 30_000, 2 * 300 * 30_000)
    assert all(metered(name).partial_image_tokens == 100 for name in CATALOGUE.names)


def added(name: str, inputs: Inputs, n: int = 1) -> tuple[int, int, int]:
    """What inputs add to a call's low, expected and high."""
    model, asked = CATALOGUE.model(name), request(model=name, size="1024x1024", quality="low", n=n)
    bare, full = model.estimate(asked), model.estimate(asked, inputs)
    return (
        full.low_nano - bare.low_nano,
        full.expected_nano - bare.expected_nano,
        full.high_nano - bare.high_nano,
    )


def test_input_images_without_a_rule_are_refused() -> None:
    model = Model("their-model", Metered(Prices(1, 1, 1, 0), Table({"low": {"1024x1024": 1}})))

    with pytest.raises(ValueError, match="no rule"):
        model.maximum(request(size="1024x1024", quality="low"), Inputs(references=((1, 1),)))


# --- prices --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRICES)
def test_every_published_price(name: str) -> None:
    text_in, image_in, image_out, text_out = (int(Decimal(usd) * 1000) for usd in PRICES[name])
    usage = Usage(text_in=3, image_in=5, image_out=7, text_out=11)

    assert CATALOGUE.model(name).cost(usage, images=1) == (
        3 * text_in + 5 * image_in + 7 * image_out + 11 * text_out
    )
    prices = metered(name).prices
    assert (prices.text_in_cached, prices.image_in_cached) == CACHED[name]


def test_the_batch_endpoint_is_at_half_price_where_that_is_documented() -> None:
    halved = {name for name in CATALOGUE.names if CATALOGUE.model(name).batch_factor == Decimal("0.5")}

    assert halved == set(OF_ONE)
    assert {CATALOGUE.model(name).batch_factor for name in PRICES.keys() - halved} == {Decimal(1)}


def test_a_maximum_is_text_by_its_bytes_and_n_images() -> None:
    flare = CATALOGUE.model("gpt-image-2.5-flare")
    asked = request(prompt="né", size="1024x1024", quality="low", n=3)

    assert flare.maximum(asked) == (3 + 6) * 5_000 + 3 * 196 * 30_000


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("gpt-image-1.5", 272 * 32_000),
        ("gpt-image-2", 196 * 30_000),
        ("gpt-image-2.6-flare", 843 * 30_000),
    ],
)
def test_a_model_with_text_output_reserves_it_for_each_image(name: str, image: int) -> None:
    asked = request(size="1024x1024", quality="low", n=2)

    assert CATALOGUE.model(name).maximum(asked) == 6 * 5_000 + 2 * (image + 1000 * 10_000)


@pytest.mark.parametrize(
    ("quality", "image", "mean"), [("low", 272, 479), ("medium", 1056, 1473), ("high", 4160, 4573)]
)
def test_the_expected_output_of_1_5_is_the_measured_mean(quality: str, image: int, mean: int) -> None:
    estimate = CATALOGUE.model("gpt-image-1.5").estimate(request(size="1024x1024", quality=quality))

    assert estimate.expected_nano == 6 * 5_000 + image * 32_000 + (mean - image) * 10_000


def test_auto_reserves_the_best_quality_and_the_size_with_most_tokens() -> None:
    assert CATALOGUE.model("gpt-image-2.5-flare").maximum(request()) == 6 * 5_000 + 23_719 * 30_000
    assert CATALOGUE.model("gpt-image-1").maximum(request()) == 6 * 5_000 + 6_240 * 40_000
    assert CATALOGUE.model("gpt-image-2").maximum(request(size="1024x1024")) == (
        6 * 5_000 + 7_024 * 30_000 + 1000 * 10_000
    )


@pytest.mark.parametrize(
    ("name", "usd"), [("gpt-image-2.5-flare", 439 * 30_000), ("gpt-image-1-mini", 1056 * 8_000)]
)
def test_auto_is_expected_to_be_medium_and_1024x1024(name: str, usd: int) -> None:
    asked = request(prompt="twelve bytes", n=2)
    text = (3 + 6) * metered(name).prices.text_in

    assert CATALOGUE.model(name).estimate(asked).expected_nano == text + 2 * usd


def test_auto_can_become_the_cheapest() -> None:
    one = CATALOGUE.model("gpt-image-1").estimate(request(prompt="seventeen bytes !"))
    assert one.low_nano == 3 * 5_000 + 272 * 40_000

    two = CATALOGUE.model("gpt-image-2").estimate(request())
    assert two.low_nano == 54 * 30_000  # ceil(16 * 5 * 2_655_360 / 4_000_000)
    assert two.low_nano <= output_tokens(16, 1536, 512) * 30_000


def test_a_model_without_a_medium_quality_is_expected_to_draw_its_best() -> None:
    rows = {"low": {"512x512": 10, "512x768": 20}, "high": {"512x512": 100, "512x768": 200}}
    model = Model("their-model", Metered(Prices(0, 0, 1, 0), Table(rows)))

    assert model.estimate(request()) == Estimate(low_nano=10, expected_nano=200, high_nano=200)


# --- flat prices, factors, sums ------------------------------------------------------------------


def test_a_flat_price_counts_images_and_nothing_else() -> None:
    model = Model("their-model", Flat(50_000_000))
    asked = request(prompt="x" * 1000, size="77x99", quality="high", n=3)
    inputs = Inputs(references=((5000, 5000),), partial_images=3)

    assert model.estimate(asked, inputs) == Estimate(
        low_nano=150_000_000, expected_nano=150_000_000, high_nano=150_000_000
    )
    assert model.cost(Usage(image_out=10**6), images=2) == 100_000_000
    assert model.cost(Usage(), images=0) == 0


@pytest.mark.parametrize(
    ("factor", "cost"), [("1", 7), ("0.8", 6), ("1.25", 9), ("0.1", 1), (f"1.{'0' * 40}1", 8)]
)
def test_a_factor_is_rounded_up_once_on_the_sum(factor: str, cost: int) -> None:
    rate = Metered(Prices(1, 1, 1, 1), Table({"low": {"1024x1024": 1}}))
    model = Model("their-model", rate, factor=Decimal(factor))

    assert model.cost(Usage(text_in=1, image_in=2, image_out=3, text_out=1), images=1) == cost
    assert Model("flat", Flat(1), factor=Decimal(factor)).cost(Usage(), images=7) == cost
    # The call's six tokens of text and its image are seven.
    estimate = model.estimate(request(size="1024x1024", quality="low"))
    assert estimate.high_nano == model.maximum(request(size="1024x1024", quality="low")) == cost


def test_estimates_add_up_and_name_each_reason_once() -> None:
    uncertain = [
        CATALOGUE.model(name).estimate(request(size="1024x1024", quality="low"))
        for name in ("gpt-image-2.6-flare", "gpt-image-1.5", "gpt-image-2.6-flare", "gpt-image-2.5-flare")
    ]
    whole = Estimate.zero()
    for estimate in uncertain:
        whole = whole.plus(estimate)

    for end in ("low_nano", "expected_nano", "high_nano"):
        assert getattr(whole, end) == sum(getattr(estimate, end) for estimate in uncertain) > 0
    first, second = whole.uncertain
    assert "gpt-image-1.5" in first
    assert "text output" in first
    assert "gpt-image-2.6-flare" in second
    assert "no formula" in second


def test_what_is_uncertain_is_what_rests_on_an_unpublished_bound() -> None:
    uncertain = {name for name in CATALOGUE.names if CATALOGUE.model(name).uncertain}

    assert uncertain == {"gpt-image-1.5", "chatgpt-image-latest", *OF_TWO, *OF_TWO_SIX}


# --- properties ----------------------------------------------------------------------------------

edges = st.integers(1, 240).map(lambda sixteenth: sixteenth * 16)
sizes = st.tuples(edges, edges).filter(lambda size: size_problem(*size) is None)
inputs = st.builds(
    Inputs,
    references=st.lists(st.tuples(st.integers(1, 9999), st.integers(1, 9999)), max_size=3).map(tuple),
    high_fidelity=st.booleans(),
    partial_images=st.integers(0, 3),
)
factors = st.decimals("0.01", "10", places=2)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Model, ImageRequest]:
    model = replace(CATALOGUE.model(draw(st.sampled_from(CATALOGUE.names))), factor=draw(factors))
    legal = (
        st.sampled_from(sorted(TOKENS_OF_ONE)) if model.name in OF_ONE else sizes.map("{0[0]}x{0[1]}".format)
    )
    return model, request(
        model=model.name,
        prompt=draw(st.text(max_size=50)),
        n=draw(st.integers(1, 10)),
        quality=draw(st.sampled_from((*model.qualities, "auto"))),
        size=draw(st.just("auto") | legal),
    )


@given(calls(), inputs)
def test_low_is_at_most_expected_and_that_at_most_high(
    call: tuple[Model, ImageRequest], inputs: Inputs
) -> None:
    model, asked = call
    estimate = model.estimate(asked, inputs)

    assert 0 < estimate.low_nano <= estimate.expected_nano <= estimate.high_nano
    assert estimate.high_nano == model.maximum(asked, inputs)


@given(calls(), inputs)
def test_auto_and_more_of_anything_never_narrow_the_band(
    call: tuple[Model, ImageRequest], inputs: Inputs
) -> None:
    model, asked = call
    exact = model.estimate(asked, inputs)
    for more in ({"quality": "auto"}, {"size": "auto"}):
        open_ended = model.estimate(asked.model_copy(update=more), inputs)
        assert open_ended.low_nano <= exact.low_nano
        assert open_ended.high_nano >= exact.high_nano
    assert model.maximum(asked.model_copy(update={"n": asked.n + 1}), inputs) > exact.high_nano


@given(calls(), st.data())
def test_no_legal_usage_costs_more_than_the_maximum(
    call: tuple[Model, ImageRequest], data: st.DataObject
) -> None:
    model, asked = call
    rate = metered(model.name)
    quality = data.draw(st.sampled_from(model.qualities)) if asked.quality == "auto" else asked.quality
    images = data.draw(st.integers(1, asked.n))
    usage = Usage(
        text_in=data.draw(st.integers(0, len(asked.prompt.encode()) + 6)),
        image_out=images * rate.output.tokens(quality, asked.size).high,
        text_out=data.draw(st.integers(0, images * rate.text_out_tokens)),
    )

    assert model.cost(usage, images) <= model.maximum(asked)


@given(st.integers(1, 200), sizes)
def test_auto_size_bounds_the_formula_on_both_sides(grid: int, size: tuple[int, int]) -> None:
    band = Grid(cells={"any": grid}, factors={}).tokens("any", "auto")

    assert band.low <= output_tokens(grid, *size) <= band.high


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ((1000, 1024), "divisible by 16"),
        ((1024, 1030), "divisible by 16"),
        ((3856, 1600), "3840"),
        ((2560, 800), "1:3"),
        ((512, 512), "655,360"),
        ((3840, 2176), "8,294,400"),
    ],
)
def test_a_size_that_no_model_takes_says_why(size: tuple[int, int], says: str) -> None:
    assert says in (size_problem(*size) or "")
    assert says in (size_problem(*reversed(size)) or "")


@pytest.mark.parametrize("size", [(1024, 640), (3840, 2160), (2880, 2880), (1536, 512), (3840, 1280)])
def test_sizes_on_the_edge_are_legal(size: tuple[int, int]) -> None:
    assert size_problem(*size) is None
