"""Images per minute, refilled continuously, one bucket for each model."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.image_api import errors
from sandbox.image_api.order import Order


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class ImageLimit:
    """Admits at most `per_minute` images a minute and model; None admits everything."""

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = per_minute
        self._clock = clock
        self._buckets: dict[str, _Bucket] = defaultdict(lambda: _Bucket(float(per_minute or 0), clock()))

    def take(self, order: Order) -> dict[str, str]:
        """Take an order's images off the minute; the headers that say what is left.

        Raises:
            ApiError: 429, with the headers and when to come back. Nothing is taken.
        """
        if self._limit is None:
            return {}
        bucket = self._refilled(order.model.id, self._limit)
        name = order.model.id
        if order.n > self._limit:
            headers = self._headers(bucket, self._limit)
            raise errors.request_too_large(name, limit=self._limit, requested=order.n, headers=headers)
        if bucket.left < order.n:
            raise errors.rate_limited(
                name,
                limit=self._limit,
                used=self._limit - int(bucket.left),
                requested=order.n,
                seconds=(order.n - bucket.left) * 60 / self._limit,
                headers=self._headers(bucket, self._limit),
            )
        bucket.left -= order.n
        return self._headers(bucket, self._limit)

    def _refilled(self, model: str, limit: int) -> _Bucket:
        bucket, now = self._buckets[model], self._clock()
        bucket.left = min(float(limit), bucket.left + (now - bucket.at) * limit / 60)
        bucket.at = now
        return bucket

    def _headers(self, bucket: _Bucket, limit: int) -> dict[str, str]:
        return {
            "x-ratelimit-limit-input-images": str(limit),
            "x-ratelimit-remaining-input-images": str(int(bucket.left)),
            "x-ratelimit-reset-input-images": errors.spell((limit - bucket.left) * 60 / limit),
        }
