from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from imagemill.domain.catalogue import Catalogue
from imagemill.domain.pricing import Estimate, Flat, Usage
from imagemill.domain.request import ImageRequest

CATALOGUE = Catalogue.load()
TODAY = date(2026, 11, 21)
GRID = "grid = { low = 16, medium = 24, high = 48 }"
PRICES = 'text_in = "4"\nimage_in = "6.4"\nimage_out = "24"\ntext_out = "0"'
Load = Callable[[str], Catalogue]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Lay a price file of this text over the shipped one."""

    def read(text: str) -> Catalogue:
        path = tmp_path / "prices.toml"
        path.write_text(text)
        return Catalogue.load(path)

    return read


def request(**said: object) -> ImageRequest:
    return ImageRequest.model_validate({"prompt": "", "model": "gpt-image-2.5-flare"} | said)


def fields(asked: ImageRequest, catalogue: Catalogue = CATALOGUE) -> list[str]:
    return [field for field, _ in catalogue.problems(asked, TODAY)]


# --- what ships ----------------------------------------------------------------------------------


def test_the_shipped_catalogue_has_a_date_as_its_version() -> None:
    assert CATALOGUE.version == "2026-11-21"


@pytest.mark.parametrize(
    ("name", "shutdown"),
    [
        ("gpt-image-1", date(2026, 10, 23)),
        ("gpt-image-1-mini", date(2026, 12, 1)),
        ("gpt-image-1.5", date(2026, 12, 1)),
        ("chatgpt-image-latest", date(2026, 12, 1)),
    ],
)
def test_models_that_end_have_their_date(name: str, shutdown: date) -> None:
    assert CATALOGUE.model(name).shutdown == shutdown


def test_every_successor_has_a_price_and_no_end() -> None:
    successors = {model.successor for name in CATALOGUE.names if (model := CATALOGUE.model(name)).shutdown}

    assert successors
    assert all(name and CATALOGUE.model(name).shutdown is None for name in successors)


@pytest.mark.parametrize(
    ("name", "parameter", "takes"),
    [
        ("gpt-image-1", "input_fidelity", False),
        ("gpt-image-1-mini", "input_fidelity", True),
        ("gpt-image-1.5", "input_fidelity", True),
        ("gpt-image-2", "input_fidelity", False),
        ("gpt-image-2", "markup", False),
        ("gpt-image-2.5-flare", "markup", True),
        ("gpt-image-2.6-flare", "markup", True),
        ("gpt-image-2.6-flare", "input_fidelity", False),
    ],
)
def test_what_only_some_models_take(name: str, parameter: str, *, takes: bool) -> None:
    assert (parameter in CATALOGUE.model(name).parameters) == takes


# --- problems of a request -----------------------------------------------------------------------


def test_a_model_without_a_price_is_refused_with_those_that_have_one() -> None:
    [(field, what)] = CATALOGUE.problems(request(model="gpt-image-9"), TODAY)

    assert field == "model"
    assert "'gpt-image-9'" in what
    assert "gpt-image-2.5-flare, gpt-image-2.5-flare-2026-09-08" in what
    assert "gpt-image-1," not in what, "it is shut down"
    assert "/prices" in what
    with pytest.raises(KeyError):
        CATALOGUE.model("gpt-image-9")


@pytest.mark.parametrize(
    ("name", "on"), [("dall-e-2", "2026-05-12"), ("dall-e-3", "2026-05-12"), ("gpt-image-1", "2026-10-23")]
)
def test_a_retired_model_is_refused_with_what_follows_it(name: str, on: str) -> None:
    [(field, what)] = CATALOGUE.problems(request(model=name, quality="max"), TODAY)

    assert field == "model"
    assert what == f"{name} was shut down on {on}; gpt-image-2.5-flare follows it"


def test_a_model_is_refused_from_the_day_of_its_shutdown() -> None:
    asked = request(model="gpt-image-1.5")

    assert CATALOGUE.problems(asked, date(2026, 11, 30)) == []
    [(_, what)] = CATALOGUE.problems(asked, date(2026, 12, 1))
    assert "2026-12-01" in what


def test_every_problem_of_a_request_is_told() -> None:
    wrong = request(
        model="gpt-image-2", quality="max", size="16x16", background="transparent", output_format="jpeg"
    )

    assert fields(wrong) == ["quality", "size", "background"]
    assert fields(request(output_compression=50)) == ["output_compression"]


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("gpt-image-1.5", {"xhigh", "max"}),
        ("gpt-image-2", {"xhigh", "max"}),
        ("gpt-image-2.5-flare", set()),
        ("gpt-image-2.6-sunburst", set()),
    ],
)
def test_a_quality_is_taken_by_the_models_own_rule(name: str, refused: set[str]) -> None:
    qualities = ("low", "medium", "high", "xhigh", "max", "auto")

    found = {quality for quality in qualities if fields(request(model=name, quality=quality))}
    assert found == refused
    [(_, what)] = CATALOGUE.problems(request(model="gpt-image-2", quality="max"), TODAY)
    assert what == "gpt-image-2 takes low, medium, high or auto, not max"


@pytest.mark.parametrize("size", ["1024x1024", "1024x1536", "1536x1024", "auto"])
def test_the_older_models_take_three_sizes(size: str) -> None:
    assert fields(request(model="gpt-image-1-mini", size=size)) == []


def test_the_older_models_take_no_other_size() -> None:
    [(field, what)] = CATALOGUE.problems(request(model="gpt-image-1-mini", size="1536x864"), TODAY)

    assert field == "size"
    assert what == "1536x864: the sizes are 1024x1024, 1024x1536, 1536x1024 or auto"
    assert fields(request(model="gpt-image-2", size="1536x864")) == []


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("gpt-image-1-mini", {"mask", "input_fidelity", "complexity", "end_user"}),
        ("gpt-image-1.5", {"mask", "input_fidelity", "complexity", "end_user"}),
        ("gpt-image-2", {"mask", "complexity", "end_user"}),
        ("gpt-image-2.5-flare", {"mask", "markup", "complexity", "end_user"}),
        ("gpt-image-2.6-sunburst", {"mask", "markup", "complexity", "end_user"}),
    ],
)
def test_what_an_edit_can_say_is_the_models_own(name: str, taken: set[str]) -> None:
    said = {
        "mask": {"mask": "m"},
        "markup": {"markup": "m"},
        "input_fidelity": {"input_fidelity": "low"},
        "complexity": {"complexity": "low"},
        "end_user": {"safety_identifier": "x"},
    }
    for field, change in said.items():
        found = fields(request(model=name, images=["i"], **change))
        assert found == ([] if field in taken else [field])


def test_the_fidelity_is_one_that_the_model_has() -> None:
    high = {"images": ["i"], "input_fidelity": "high"}

    assert fields(request(model="gpt-image-1.5", **high)) == []
    [(field, what)] = CATALOGUE.problems(request(model="gpt-image-1-mini", **high), TODAY)
    assert (field, what) == ("input_fidelity", "gpt-image-1-mini takes low, not high")
    [(_, what)] = CATALOGUE.problems(request(model="gpt-image-2", **high), TODAY)
    assert what == "gpt-image-2 does not take it; leave it out"


def test_a_mask_and_markup_need_an_image_and_exclude_each_other() -> None:
    assert fields(request(mask="m")) == ["mask"]
    assert fields(request(markup="m")) == ["markup"]
    assert fields(request(images=["i"], mask="m", markup="m")) == ["markup"]
    assert fields(request(images=["i"] * 17)) == ["images"]


def test_images_whose_tokens_can_t_be_counted_are_refused(load: Load) -> None:
    prices = "\n".join(f'{kind}_{way} = "1"' for kind in ("text", "image") for way in ("in", "out"))
    catalogue = load(
        f'version = "1"\n[models.theirs]\n{prices}\ntext_out_tokens = 1\ngrid = {{ low = 16 }}\n'
    )

    assert fields(request(model="theirs", quality="low"), catalogue) == []
    assert fields(request(model="theirs", quality="low", images=["i"]), catalogue) == ["images"]


def test_formats_backgrounds_and_parameters_are_the_models_own(load: Load) -> None:
    limits = 'formats = ["png"]\nbackgrounds = ["opaque", "auto"]\nparameters = ["background"]'
    catalogue = load(f'version = "1"\n[models.theirs]\nusd_per_image = "0.05"\n{limits}\n')

    assert fields(request(model="theirs", background="opaque"), catalogue) == []
    wrong = request(
        model="theirs", output_format="webp", background="transparent", moderation="low", output_compression=5
    )
    assert fields(wrong, catalogue) == ["output_format", "background", "moderation", "output_compression"]
    assert ("output_format", "theirs takes png, not webp") in catalogue.problems(wrong, TODAY)


@pytest.mark.parametrize(
    ("today", "warned"),
    [
        (date(2026, 10, 31), False),
        (date(2026, 11, 1), True),
        (date(2026, 11, 30), True),
        (date(2026, 12, 1), False),
    ],
)
def test_one_is_warned_of_a_shutdown_within_thirty_days(today: date, *, warned: bool) -> None:
    sentence = "gpt-image-1.5 will be shut down on 2026-12-01; gpt-image-2.5-flare follows it"

    assert CATALOGUE.warnings("gpt-image-1.5", today) == ([sentence] if warned else [])


def test_nobody_is_warned_of_what_stays_or_is_unknown() -> None:
    assert CATALOGUE.warnings("gpt-image-2", TODAY) == []
    assert CATALOGUE.warnings("gpt-image-9", TODAY) == []


# --- prices that are not the shipped ones --------------------------------------------------------


def test_a_file_of_the_operators_own_is_laid_over_the_shipped_one(load: Load) -> None:
    catalogue = load(f"""
version = "ours"
[models."their-model"]
aliases = ["their-model-2026"]
{PRICES}
{GRID}
[models.gpt-image-2]
family = "gpt-image-2.5"
text_in = "50"
[models.dall-e-3]
usd_per_image = "0.05"
""")

    assert catalogue.version == "2026-11-21+ours"
    gone = {"gpt-image-2-2026-04-21"}  # its model was replaced, and the new one does not say that it is its
    assert set(catalogue.names) == {*CATALOGUE.names, "their-model", "their-model-2026", "dall-e-3"} - gone
    usage = Usage(text_in=1, image_in=1, image_out=1, text_out=1)
    assert catalogue.model("their-model-2026").cost(usage, 1) == 4_000 + 6_400 + 24_000
    assert catalogue.model("gpt-image-2").cost(usage, 1) == 50_000 + 8_000 + 30_000
    assert catalogue.model("gpt-image-1") == CATALOGUE.model("gpt-image-1")
    assert fields(request(model="dall-e-3"), catalogue) == []


def test_a_family_of_the_operators_file_reprices_its_shipped_models(load: Load) -> None:
    catalogue = load(f'version = "ours"\n[families."gpt-image-2.6"]\n{PRICES}\n{GRID}\n')

    assert catalogue.names == CATALOGUE.names
    assert catalogue.model("gpt-image-2.6-flare").cost(Usage(text_in=1), 1) == 4_000
    assert catalogue.model("gpt-image-2.6-flare").uncertain is None
    assert catalogue.model("gpt-image-2.5-flare").cost(Usage(text_in=1), 1) == 5_000


def test_a_name_of_the_operators_file_wins_over_a_shipped_one(load: Load) -> None:
    catalogue = load(
        'version = "1"\n[models.theirs]\naliases = ["gpt-image-2", "dall-e-3"]\nusd_per_image = "1"'
    )

    assert catalogue.model("gpt-image-2").name == catalogue.model("dall-e-3").name == "theirs"
    assert catalogue.model("gpt-image-2-2026-04-21").name == "gpt-image-2"


def test_a_shut_down_model_can_be_stated_anew_for_another_provider(load: Load) -> None:
    catalogue = load('version = "1"\n[models.gpt-image-1]\nfamily = "gpt-image-1"\n')
    asked = request(model="gpt-image-1")

    assert catalogue.problems(asked, TODAY) == []
    assert catalogue.model("gpt-image-1").maximum(asked) == CATALOGUE.model("gpt-image-1").maximum(asked)


def test_a_model_can_have_a_price_for_an_image(load: Load) -> None:
    catalogue = load('version = "1"\n[models.theirs]\nusd_per_image = "0.05"\n')
    asked = request(model="theirs", size="33x77", quality="max", n=2)

    assert catalogue.problems(asked, TODAY) == []
    assert catalogue.model("theirs").maximum(asked) == 100_000_000


def test_a_resellers_factor_multiplies_every_price() -> None:
    cheaper = Catalogue.load(factor=Decimal("0.8"))
    dearer = Catalogue.load(factor=Decimal("1.25"))
    asked = request(prompt="x", size="1024x1024", quality="low")
    whole = 7 * 5_000 + 196 * 30_000

    for catalogue, nano in ((cheaper, whole * 4 // 5), (CATALOGUE, whole), (dearer, whole * 5 // 4)):
        assert catalogue.model("gpt-image-2.5-flare").maximum(asked) == nano
        assert catalogue.model("gpt-image-2.5-flare").cost(Usage(text_in=7, image_out=196), 1) == nano


@pytest.mark.parametrize("factor", ["0", "-0.8", "NaN", "Infinity"])
def test_a_factor_that_is_not_positive_is_refused(factor: str) -> None:
    with pytest.raises(ValueError, match=f"must be positive, not {factor}"):
        Catalogue.load(factor=Decimal(factor))


def test_a_job_can_state_prices_of_its_own() -> None:
    cheaper = Catalogue.load(factor=Decimal("0.8"))
    catalogue = cheaper.with_prices({"gpt-image-9": 50_000_000, "dall-e-3": 1})
    asked = request(model="gpt-image-9", n=2)

    assert catalogue.problems(asked, TODAY) == []
    assert catalogue.model("gpt-image-9").rate == Flat(50_000_000)
    assert catalogue.model("gpt-image-9").estimate(asked) == Estimate(
        low_nano=100_000_000, expected_nano=100_000_000, high_nano=100_000_000
    )
    assert fields(request(model="dall-e-3"), catalogue) == []
    assert catalogue.version == cheaper.version
    assert set(catalogue.names) == {*cheaper.names, "gpt-image-9", "dall-e-3"}
    assert catalogue.model("gpt-image-2") == cheaper.model("gpt-image-2")
    assert "gpt-image-9" not in cheaper


@pytest.mark.parametrize("name", ["gpt-image-2", "gpt-image-2-2026-04-21", "gpt-image-1"])
def test_a_job_cannot_replace_a_price(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has a price"):
        CATALOGUE.with_prices({"gpt-image-9": 1, name: 1})


# --- faults of a price file ----------------------------------------------------------------------

FAULTS = {
    "a hole": (
        '[models.gpt-image-9]\ntext_in = "5"\nimage_in = "8"\ntext_out = "0"\n' + GRID,
        'line 2: model gpt-image-9: no price for image_out; write "0" if it is free',
    ),
    "a hole in a family": (
        f'[families.nine]\ntext_in = "5"\nimage_in = "8"\ntext_out = "0"\n{GRID}\n'
        '[models.gpt-image-9]\nfamily = "nine"',
        'line 2: model gpt-image-9: no price for image_out; write "0" if it is free',
    ),
    "a shipped model's family with a hole": (
        f'\n[families.gpt-image-2]\ntext_in = "5"\nimage_in = "8"\ntext_out = "0"\n{GRID}',
        'line 3: model gpt-image-2: no price for image_out; write "0" if it is free',
    ),
    "no price at all": ("[models.a]\n[models.b]\n" + GRID, "line 2: model a: no price for text_in"),
    "too fine": (
        f"[models.a]\n{PRICES}\n{GRID}\n[models.b]\n{PRICES.replace('6.4', '6.4001')}\n{GRID}",
        "line 10: model b: image_in: '6.4001' a million tokens is finer than a nano-dollar a token",
    ),
    "too fine for an image": (
        '[models.a]\nusd_per_image = "0.0000000001"',
        "line 3: model a: usd_per_image: '0.0000000001' is finer than a nano-dollar (nine decimal places)",
    ),
    "negative": (
        f"[models.a]\n{PRICES.replace('24', '-24')}\n{GRID}",
        "line 5: model a: image_out: '-24' is negative",
    ),
    "no number": (
        f"[models.a]\n{PRICES.replace('24', 'free')}\n{GRID}",
        "line 5: model a: image_out: 'free' is not a decimal number",
    ),
    "no string": (
        f"[models.a]\n{PRICES.replace(chr(34) + '24' + chr(34), '24.5')}\n{GRID}",
        'line 5: model a: image_out: a price is a string of US dollars, such as "24.5"',
    ),
    "an unknown key": (
        f"[models.a]\n{PRICES}\n{GRID}\nimage_inn = 5",
        "line 8: model a: unknown key image_inn",
    ),
    "an unknown key of a shipped model's family": (
        f"[families.gpt-image-2]\n{PRICES}\n{GRID}\ncolour = 5",
        "line 8: model gpt-image-2: unknown key colour",
    ),
    "a name with a dot": (
        '[models.gpt-image-2.5-flare]\nusd_per_image = "1"',
        "line 2: model gpt-image-2: unknown key 5-flare; a name with a dot in it must be quoted",
    ),
    "an unknown table": (
        "[model.a]",
        "line 2: unknown key 'model'; a price file has version, families and models",
    ),
    "no table": ("[models]\na = 5", "line 3: a must be a table, [models.a]"),
    "no tables": ("models = 5", "line 2: models must be tables, such as [models.NAME]"),
    "an unknown family": (
        '[models.a]\n\nfamily = "b"',
        "line 4: model a: there is no family 'b'",
    ),
    "a retired one without a successor": (
        "[models.a]\nshutdown = 2026-01-01",
        "line 3: model a: it is shut down; name what follows it as successor",
    ),
    "a retired one that is half described": (
        f'[models.a]\nshutdown = 2026-01-01\nsuccessor = "b"\n{GRID}',
        "line 2: model a: no price for text_in",
    ),
    "a date that is none": (
        '[models.a]\nshutdown = "soon"\nsuccessor = "b"',
        "line 3: model a: shutdown: Input should be a valid date",
    ),
    "a batch factor of nothing": (
        f'[models.a]\n{PRICES}\n{GRID}\nbatch_factor = "0"',
        "line 8: model a: batch_factor: a factor is a positive number in a string, such as \"0.5\", not '0'",
    ),
    "a factor below nothing": (
        f'[models.a]\n{PRICES}\n{GRID}\ngrid_factor = {{ low = "1", high = "-1" }}',
        "line 8: model a: grid_factor.high: a factor is a positive number",
    ),
    "a factor of no quality": (
        f'[models.a]\n{PRICES}\n{GRID}\ngrid_factor = {{ best = "1" }}',
        "line 8: model a: grid_factor: it has no quality best",
    ),
    "no rule for output": (
        f"[models.a]\n{PRICES}",
        "line 2: model a: it needs either tokens or grid",
    ),
    "two rules for output": (
        f'[models.a]\n{PRICES}\n{GRID}\ntokens = {{ low = {{ "16x16" = 1 }} }}',
        "line 7: model a: it needs either tokens or grid",
    ),
    "qualities of other sizes": (
        f'[models.a]\n{PRICES}\n[models.a.tokens]\nlow = {{ "16x16" = 1 }}\nhigh = {{ "16x32" = 1 }}',
        "line 7: model a: tokens: every quality must have the same sizes",
    ),
    "no tokens": (
        f'[models.a]\n{PRICES}\n[models.a.tokens]\nlow = {{ "16x16" = 1 }}\nhigh = {{ "16x16" = 0 }}',
        "line 9: model a: tokens.high.16x16: Input should be greater than 0",
    ),
    "text output without a bound": (
        f"[models.a]\n{PRICES[:-3]}" + f'"1"\n{GRID}',
        "line 6: model a: text output is billed; give its bound as text_out_tokens",
    ),
    "a mean above its bound": (
        f"[models.a]\n{PRICES}\n{GRID}\ntext_out_tokens = 10\ntext_out_expected = {{ low = 11 }}",
        "line 9: model a: text_out_expected is above its bound",
    ),
    "two rules for input images": (
        f"[models.a]\n{PRICES}\n{GRID}\nimage_in_tiles = {{ base = 1, tile = 1 }}\n"
        "image_in_megapixels = { per_megapixel = 1, most = 1 }",
        "line 8: model a: it needs image_in_tiles or image_in_megapixels, not both",
    ),
    "an unknown key of a rule": (
        f"[models.a]\n{PRICES}\n{GRID}\n[models.a.image_in_tiles]\nbase = 1\ntile = 1\nside = 1",
        "line 11: model a: unknown key image_in_tiles.side",
    ),
    "a price for an image and for tokens": (
        f'[models.a]\n{PRICES}\nusd_per_image = "1"',
        "line 7: model a: it has a price for an image and prices for tokens; one of them must go",
    ),
    "an unknown format": (
        '[models.a]\nusd_per_image = "1"\nformats = [\n  "png",\n  "gif",\n]',
        "line 4: model a: formats.1: Input should be 'png', 'jpeg' or 'webp'",
    ),
    "a name twice": (
        '[models.a]\nusd_per_image = "1"\n[models.b]\nusd_per_image = "1"\naliases = ["c", "a"]',
        "line 6: model b: a is a name of a too",
    ),
}


@pytest.mark.parametrize(("text", "says"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_line(load: Load, text: str, says: str) -> None:
    with pytest.raises(ValueError, match="prices") as caught:
        load(f'version = "1" # [models.a] = 5\n{text}\n')

    assert str(caught.value).splitlines()[0].startswith(f"prices.toml {says}")


def test_every_fault_of_a_model_has_a_line(load: Load) -> None:
    prices = PRICES.replace("24", "-24").replace('"4"', '"0.0001"')
    with pytest.raises(ValueError, match="prices") as caught:
        load(f'version = "1"\r\n[models.a]\n{prices}\n{GRID}\nb.c = 5')

    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"prices.toml line {n}" for n in (3, 5, 8)]


def test_a_file_without_a_version_is_refused(load: Load) -> None:
    with pytest.raises(ValueError, match=r"prices\.toml: it needs a version"):
        load('[models.a]\nusd_per_image = "1"')
    with pytest.raises(ValueError, match=r"prices\.toml line 2: it needs a version"):
        load("\nversion = 5")


@pytest.mark.parametrize(
    "text", ['version = "1"\n[models.a\n', 'version = "1"\nversion = "2"\n', 'version = "1"\na = \n']
)
def test_broken_toml_is_told_with_its_line(load: Load, text: str) -> None:
    with pytest.raises(ValueError, match=r"^prices\.toml: .*at line 2, column"):
        load(text)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_bytes(b"\xff")

    with pytest.raises(ValueError, match=r"^prices\.toml: .*utf-8"):
        Catalogue.load(tmp_path / "prices.toml")
