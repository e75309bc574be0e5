from datetime import date
from decimal import Decimal

import pytest
from pydantic import SecretStr

from imagemill.domain.catalogue import Catalogue
from imagemill.domain.market import Market
from imagemill.domain.pools import Alias, Pool, Pools
from imagemill.domain.request import ImageRequest, ImageSettings

CATALOGUE = Catalogue.load()
TODAY = date(2026, 11, 21)
LIVING = [name for name in CATALOGUE.names if not (end := CATALOGUE.model(name).shutdown) or end > TODAY]
PROMPTS = ["", "x", "éé", "abcd", "椅子 § “oak”", "x" * 300]


class CountingPools(Pools):
    """Pools that count how often they are searched."""

    searches = 0

    def serving(self, model: str, wanted: object = ()) -> list[Pool]:
        self.searches += 1
        return super().serving(model)


@pytest.mark.parametrize("model", LIVING)
def test_an_offer_costs_what_its_requests_cost(model: str) -> None:
    market = Market(CATALOGUE, Pools.single(Decimal("1.25")))
    offer = market.offer(ImageSettings(model=model), "t", TODAY)
    assert not offer.problems
    for prompt in PROMPTS * 2:
        request = offer.of(prompt)
        assert request == ImageRequest.of(prompt, ImageSettings(model=model), "t")
        assert offer.estimate(request) == market.estimate(request)
        assert offer.estimate(offer.of("z" * len(prompt.encode()))) == market.estimate(request)


def test_an_offer_of_an_alias_says_what_was_asked_for() -> None:
    pools = Pools(
        [Pool(name="p", base_url="", api_key=SecretStr(""))], {"theirs": Alias("gpt-image-2.5-flare")}
    )
    offer = Market(CATALOGUE, pools).offer(ImageSettings(model="theirs"), "t", TODAY)
    assert (offer.request.model, offer.warnings) == ("gpt-image-2.5-flare", ["instead_of:theirs"])


def test_what_can_t_be_bought_says_so_once_for_all_prompts() -> None:
    offer = Market(CATALOGUE, Pools.single()).offer(ImageSettings(model="none"), "t", TODAY)
    assert [where for where, _ in offer.problems] == ["model"]


def test_the_pools_of_a_model_are_searched_once() -> None:
    pools = CountingPools([Pool(name="p", base_url="", api_key=SecretStr(""))])
    market = Market(CATALOGUE, pools)
    pools.searches = 0
    for number in range(50):
        request = ImageRequest(prompt="x" * number, model="gpt-image-2.5-flare")
        market.estimate(request)
        market.problems(request, TODAY)
    assert pools.searches == 1
