"""What is reserved against what the sandbox bills, which was written without a look at the service."""

import random
from collections import Counter
from datetime import date
from itertools import pairwise

import pytest

from imagemill.domain.catalogue import Catalogue
from imagemill.domain.pricing import STEEPEST_INPUT, Metered, Usage, size_problem
from imagemill.domain.request import ImageRequest
from sandbox.image_api import catalog
from sandbox.image_api.order import Order, read
from sandbox.image_api.tokens import input_image_tokens

SEED = 20261121
REQUESTS = 10_000
TODAY = date(2026, 11, 21)
SERVED = catalog.load()
CATALOGUE = Catalogue.load()
BACKGROUNDS = ("transparent", "opaque", "auto")  # jpeg takes all but the first
LETTERS = 'abcdefghij klmnop,.!? "\\ éßñ Ωж 汉字 かな 🦊👩‍🚀\x00\n'

Call = tuple[ImageRequest, Order]


def legal_size(chance: random.Random) -> str:
    while size_problem(*(size := (chance.randrange(16, 3841, 16), chance.randrange(16, 3841, 16)))):
        pass
    return "{}x{}".format(*size)


def body(chance: random.Random) -> dict[str, object]:
    """The body of any legal request; what it leaves out the provider decides."""
    family = SERVED.models[name := chance.choice(sorted(SERVED.models))].family
    size = chance.choice(family.sizes) if family.sizes else legal_size(chance)
    output_format = chance.choice(("png", "jpeg", "webp"))
    said = {
        "size": chance.choice((size, size, "auto")),
        "quality": chance.choice((*family.qualities, "auto")),
        "n": chance.randint(1, 10),
        "background": chance.choice(BACKGROUNDS[output_format == "jpeg" :]),
        "moderation": chance.choice(("auto", "low")),
        "output_compression": None if output_format == "png" else chance.randint(0, 100),
    }
    return {
        "model": name,
        "prompt": "".join(chance.choices(LETTERS, k=chance.randint(1, 200))),
        "output_format": output_format,
        **{key: value for key, value in said.items() if value is not None and chance.random() < 0.9},
    }


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    chance = random.Random(SEED)
    bodies = [body(chance) for _ in range(REQUESTS)]
    return [(ImageRequest.model_validate(said), read(said, SERVED)) for said in bodies]


def test_the_calls_are_of_every_model_at_every_quality(calls: list[Call]) -> None:
    drawn = Counter((order.model.id, order.quality) for _, order in calls)

    assert set(drawn) == {
        (name, quality) for name, model in SERVED.models.items() for quality in model.family.qualities
    }
    assert min(drawn.values()) > 50


def test_no_legal_call_is_refused(calls: list[Call]) -> None:
    assert [found for request, _ in calls if (found := CATALOGUE.problems(request, TODAY))] == []


def test_no_call_is_billed_more_than_its_reservation(calls: list[Call]) -> None:
    above = [
        request
        for request, order in calls
        if not order.cost_nano <= CATALOGUE.model(request.model).maximum(request)
    ]

    assert above == []


def test_no_call_is_billed_less_than_the_low_end_of_its_estimate(calls: list[Call]) -> None:
    below = [
        request
        for request, order in calls
        if not order.cost_nano >= CATALOGUE.model(request.model).estimate(request).low_nano
    ]

    assert below == []


def test_the_same_tokens_are_the_same_money(calls: list[Call]) -> None:
    for request, order in calls:
        counted = order.usage
        usage = Usage(text_in=counted.text_in, image_out=counted.image_out, text_out=counted.text_out)
        assert CATALOGUE.model(request.model).cost(usage, images=order.n) == order.cost_nano


def test_only_text_is_reserved_above_the_bill_where_all_is_said_and_published(calls: list[Call]) -> None:
    seen = 0
    for request, order in calls:
        model = CATALOGUE.model(request.model)
        if (
            "auto" in {request.size, request.quality}
            or model.uncertain
            or not isinstance(model.rate, Metered)
        ):
            continue
        seen += 1
        prices = model.rate.prices
        text_in = len(request.prompt.encode()) + 6 - order.usage.text_in
        text_out = request.n * model.rate.text_out_tokens - order.usage.text_out
        slack = text_in * prices.text_in + text_out * prices.text_out
        assert model.maximum(request) == order.cost_nano + slack
    assert seen > 1000


def test_fewer_images_cost_less_and_stay_within(calls: list[Call]) -> None:
    for request, order in calls[::20]:
        costs = [order.fewer(n).cost_nano for n in range(1, order.n + 1)]
        assert all(fewer < more for fewer, more in pairwise(costs))
        assert costs[-1] <= CATALOGUE.model(request.model).maximum(request)


def test_the_images_that_a_call_is_given_are_reserved_before_they_are_seen() -> None:
    """Up to 16 of any shape that is sent, at either fidelity, with a mask or without."""
    chance = random.Random(SEED)
    for _ in range(REQUESTS):
        family = SERVED.models[name := chance.choice(sorted(SERVED.models))].family
        shorts = chance.choices(range(1, 4096), k=chance.randint(1, 16))
        shapes = [(short, chance.randint(short, STEEPEST_INPUT * short)) for short in shorts]
        fidelity = chance.choice((*CATALOGUE.model(name).fidelities, None))
        plain = ImageRequest(
            prompt="A vase", model=name, size="1024x1024", quality="low", input_fidelity=fidelity
        )
        given = plain.model_copy(
            update={
                "images": tuple(f"file_{number}" for number in range(len(shapes))),
                "mask": chance.choice((None, "file_m")),
            }
        )
        counted = sum(
            input_image_tokens(family.input_image, *chance.sample(shape, 2), high_fidelity=fidelity == "high")
            for shape in shapes
        )
        model = CATALOGUE.model(name)
        assert counted * family.prices.image_in <= model.maximum(given) - model.maximum(plain)
        assert (
            model.estimate(given).low_nano
            <= model.estimate(plain).low_nano + counted * family.prices.image_in
        )
