"""How long the provider thinks about an image."""

import random

from sandbox.image_api.order import Order

# Mean seconds by quality, as measured on gpt-image-1.5; "up to two minutes" is all that is said of the top.
MEAN_SECONDS = {"low": 13.0, "medium": 23.0, "high": 46.0, "xhigh": 80.0, "max": 110.0}
SIGMA = 0.25


class Latency:
    """Latencies scattered log-normally around the mean, times `speed`."""

    def __init__(self, speed: float, seed: int) -> None:
        self._speed = speed
        self._seed = seed

    def seconds(self, order: Order) -> float:
        """The latency of an order, the same every time. Its images are drawn side by side."""
        chance = random.Random(f"{self._seed}/{order.prompt_sha256}")  # noqa: S311
        return self._speed * MEAN_SECONDS[order.quality] * chance.lognormvariate(-SIGMA * SIGMA / 2, SIGMA)
