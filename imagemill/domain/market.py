"""What a job can buy, and at which price: the catalogue, as the pools that the job may go to change it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from imagemill.domain.catalogue import Catalogue
from imagemill.domain.pools import Pool, Pools
from imagemill.domain.pricing import Estimate
from imagemill.domain.request import ImageRequest, ImageSettings

KEPT_PRICES = 10_000


class Market:
    """The models of the catalogue, at the dearest price of the pools that a job names, and at its own prices.

    Args:
        catalogue: the models and their listed prices; the pools' own factors take the place of its.
        pools: all pools, and the operator's aliases.
        wanted: the pools that the job names; none: the first that serves a model.
        stated: the job's own prices of an image, in nano-dollars.

    Raises:
        ValueError: a stated price is for a model that has one.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        pools: Pools,
        wanted: Sequence[str] = (),
        stated: Mapping[str, int] | None = None,
    ) -> None:
        self.catalogue = pools.priced(catalogue, wanted).with_prices(stated or {})
        self._pools = pools
        self._wanted = wanted
        self._serving: dict[str, list[Pool]] = {}

    def resolve(self, request: ImageRequest) -> tuple[ImageRequest, list[str]]:
        """The request as it is bought: an operator's alias in the place of its model, and a word about it."""
        alias = self._pools.alias(request.model)
        if alias is None or alias.model == request.model:
            return request, []
        return request.model_copy(update={"model": alias.model}), [f"instead_of:{request.model}"]

    def estimate(self, request: ImageRequest) -> Estimate:
        """What a resolved request costs. Where a pool is not told the size, it may draw the largest."""
        told = all(pool.size_as == "size" for pool in self._serve(request.model))
        priced = request if told else request.model_copy(update={"size": "auto"})
        return self.catalogue.model(request.model).estimate(priced)

    def problems(self, request: ImageRequest, today: date) -> list[tuple[str, str]]:
        """What is wrong with a resolved request: (field, what would be right); empty if nothing.

        A pool that names a model itself serves it after the original provider's shutdown, too.
        """
        still_served = any(pool.names(request.model) for pool in self._serve(request.model))
        return self.catalogue.problems(request, date.min if still_served else today)

    def offer(self, settings: ImageSettings, tenant: str, today: date) -> "Offer":
        """What these settings buy; a model must be among them. For many prompts, found out once."""
        return self.offer_again(ImageRequest.of("", settings, tenant), today)

    def offer_again(self, asked: ImageRequest, today: date) -> "Offer":
        """What a request buys today that was resolved and priced before."""
        request, warnings = self.resolve(asked)
        return Offer(self, request, warnings, self.problems(request, today))

    def _serve(self, model: str) -> list[Pool]:
        """The pools that serve a model, remembered: patterns are slow to match."""
        if model not in self._serving:
            self._serving[model] = self._pools.serving(model, self._wanted)
        return self._serving[model]


@dataclass(frozen=True, slots=True)
class Offer:
    """A request that only lacks its prompt.

    Attributes:
        request: it, resolved, with an empty prompt.
        warnings: what was made of what was asked for.
        problems: as `Market.problems` says them.
    """

    market: Market
    request: ImageRequest
    warnings: list[str]
    problems: list[tuple[str, str]]
    _prices: dict[int, Estimate] = field(default_factory=dict, repr=False)

    def of(self, prompt: str) -> ImageRequest:
        """The request with a prompt."""
        return self.request.model_copy(update={"prompt": prompt})

    def estimate(self, request: ImageRequest) -> Estimate:
        """What a request of this offer costs. All that counts of a prompt is how many bytes it has."""
        size = len(request.prompt.encode())
        if (known := self._prices.get(size)) is not None:
            return known
        if len(self._prices) >= KEPT_PRICES:
            self._prices.clear()
        return self._prices.setdefault(size, self.market.estimate(request))
