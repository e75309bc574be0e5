import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.pricing import Catalogue, Usage, output_tokens, size_problem
from imagemill.domain.request import ImageRequest

CATALOGUE = Catalogue.load()
TWO = ("low", "medium", "high")
TWO_AND_A_HALF = ("low", "medium", "high", "xhigh", "max")
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
PUBLISHED = [
    (model, size, quality, tokens)
    for model, qualities, table in (
        ("gpt-image-2", TWO, TOKENS_OF_TWO),
        ("gpt-image-2.5-flare", TWO_AND_A_HALF, TOKENS_OF_TWO_AND_A_HALF),
        ("gpt-image-2.5-sunburst-2026-09-08", TWO_AND_A_HALF, TOKENS_OF_TWO_AND_A_HALF),
    )
    for size, row in table.items()
    for quality, tokens in zip(qualities, row, strict=True)
]


def request(**said: object) -> ImageRequest:
    return ImageRequest.model_validate({"prompt": "", "model": "gpt-image-2.5-flare"} | said)


@pytest.mark.parametrize(("model", "size", "quality", "tokens"), PUBLISHED)
def test_every_published_figure(model: str, size: str, quality: str, tokens: int) -> None:
    width, height = map(int, size.split("x"))

    assert output_tokens(CATALOGUE.model(model).grid[quality], width, height) == tokens
    assert output_tokens(CATALOGUE.model(model).grid[quality], height, width) == tokens


def test_a_maximum_is_text_by_its_bytes_and_n_images() -> None:
    flare = CATALOGUE.model("gpt-image-2.5-flare")
    asked = request(prompt="né", size="1024x1024", quality="low", n=3)

    assert flare.maximum(asked) == (3 + 6) * 5_000 + 3 * 196 * 30_000


def test_a_model_with_text_output_reserves_it_for_each_image() -> None:
    two = CATALOGUE.model("gpt-image-2")

    assert two.maximum(request(size="1024x1024", quality="low", n=2)) == 6 * 5_000 + 2 * (
        196 * 30_000 + two.text_out_tokens * 10_000
    )


def test_auto_quality_is_the_best_and_auto_size_the_one_with_most_tokens() -> None:
    flare = CATALOGUE.model("gpt-image-2.5-flare")

    assert flare.maximum(request()) == 6 * 5_000 + 23_719 * 30_000
    assert CATALOGUE.model("gpt-image-2").maximum(request(size="1024x1024")) >= 7_024 * 30_000


def test_a_cost_is_each_kind_of_token_at_its_price() -> None:
    usage = Usage(text_in=3, image_in=5, image_out=7, text_out=11)

    assert CATALOGUE.model("gpt-image-2").cost(usage) == 3 * 5_000 + 5 * 8_000 + 7 * 30_000 + 11 * 10_000
    assert CATALOGUE.model("gpt-image-2.5-flare").cost(usage) == 3 * 5_000 + 5 * 8_000 + 7 * 30_000


edges = st.integers(1, 240).map(lambda sixteenth: sixteenth * 16)
sizes = st.tuples(edges, edges).filter(lambda size: size_problem(*size) is None)


@given(
    st.sampled_from(CATALOGUE.names),
    sizes,
    st.integers(0, 4),
    st.text(max_size=50),
    st.integers(1, 10),
    st.data(),
)
def test_no_legal_call_costs_more_than_its_maximum(  # noqa: PLR0917
    name: str, size: tuple[int, int], choice: int, prompt: str, n: int, data: st.DataObject
) -> None:
    model = CATALOGUE.model(name)
    quality = list(model.grid)[choice % len(model.grid)]
    images = data.draw(st.integers(1, n))
    usage = Usage(
        text_in=data.draw(st.integers(0, len(prompt.encode()) + 6)),
        image_out=images * output_tokens(model.grid[quality], *size),
        text_out=data.draw(st.integers(0, images * model.text_out_tokens)),
    )
    exact = request(model=name, prompt=prompt, size=f"{size[0]}x{size[1]}", quality=quality, n=n)
    maximum = model.maximum(exact)

    assert CATALOGUE.problems(exact) == []
    assert maximum >= model.cost(usage)
    assert model.maximum(exact.model_copy(update={"quality": "auto"})) >= maximum
    assert model.maximum(exact.model_copy(update={"size": "auto"})) >= maximum


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


def test_a_model_without_a_price_is_refused_with_those_that_have_one() -> None:
    [(field, what)] = CATALOGUE.problems(request(model="gpt-image-9"))

    assert field == "model"
    assert "gpt-image-2.5-flare" in what
    with pytest.raises(KeyError):
        CATALOGUE.model("gpt-image-9")


def test_every_problem_of_a_request_is_told() -> None:
    wrong = request(
        model="gpt-image-2", quality="max", size="16x16", background="transparent", output_format="jpeg"
    )

    assert [field for field, _ in CATALOGUE.problems(wrong)] == ["quality", "size", "background"]
    assert [field for field, _ in CATALOGUE.problems(request(output_compression=50))] == [
        "output_compression"
    ]
