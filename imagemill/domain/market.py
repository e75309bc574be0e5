"""What a job can buy, and at which price: the catalogue, as the pools that the job may go to change it."""

from collections.abc import Mapping, Sequence
from datetime import date

from imagemill.domain.catalogue import Catalogue
from imagemill.domain.pools import Pools
from imagemill.domain.pricing import Estimate
from imagemill.domain.request import ImageRequest


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

    def resolve(self, request: ImageRequest) -> tuple[ImageRequest, list[str]]:
        """The request as it is bought: an operator's alias in the place of its model, and a word about it."""
        alias = self._pools.alias(request.model)
        if alias is None or alias.model == request.model:
            return request, []
        return request.model_copy(update={"model": alias.model}), [f"instead_of:{request.model}"]

    def estimate(self, request: ImageRequest) -> Estimate:
        """What a resolved request costs. Where a pool is not told the size, it may draw the largest."""
        told = all(pool.size_as == "size" for pool in self._pools.serving(request.model, self._wanted))
        priced = request if told else request.model_copy(update={"size": "auto"})
        return self.catalogue.model(request.model).estimate(priced)

    def problems(self, request: ImageRequest, today: date) -> list[tuple[str, str]]:
        """What is wrong with a resolved request: (field, what would be right); empty if nothing.

        A pool that names a model itself serves it after the original provider's shutdown, too.
        """
        still_served = self._pools.still_served(request.model, self._wanted)
        return self.catalogue.problems(request, date.min if still_served else today)
