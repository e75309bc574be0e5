"""Images and tokens per minute, refilled continuously; each model has its own minute."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, PositiveInt

from sandbox.image_api import throttling
from sandbox.image_api.order import Order

MINUTE = 60


class Limits(BaseModel):
    """What a model's minute holds; None is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float

    def refill(self, limit: int, now: float) -> None:
        self.left = min(float(limit), self.left + (now - self.at) * limit / MINUTE)
        self.at = now


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a call wants of one bucket. A claim without a `unit` is counted and never refused."""

    name: str
    limit: int
    wanted: int
    bucket: _Bucket
    unit: throttling.Unit | None

    @property
    def seconds(self) -> float:
        """How long until the bucket holds as much."""
        return (self.wanted - self.bucket.left) * MINUTE / self.limit

    def headers(self) -> dict[str, str]:
        missing = (self.limit - self.bucket.left) * MINUTE / self.limit
        return {
            f"x-ratelimit-limit-{self.name}": str(self.limit),
            f"x-ratelimit-remaining-{self.name}": str(int(self.bucket.left)),
            f"x-ratelimit-reset-{self.name}": throttling.spell(missing),
        }


class Minutes:
    """Admits calls within the limits, which can change at any time.

    With `headers` off, the limits hold and no header tells of them: neither what is left nor when to come
    back.
    """

    def __init__(
        self, limits: Limits, clock: Callable[[], float] = time.monotonic, *, headers: bool = True
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._has_headers = headers
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, order: Order) -> dict[str, str]:
        """Take an order off the minute; the headers that say what is left.

        Raises:
            ApiError: 429, with the headers and when to come back. Nothing is taken.
        """
        claims = self._claims(order)
        for claim in claims:
            self._check(claim, claims, order.model.id)
        for claim in claims:
            claim.bucket.left -= claim.wanted
        return self._headers(claims)

    def _claims(self, order: Order) -> list[_Claim]:
        images, tokens = self.limits.images_per_minute, self.limits.tokens_per_minute
        claims = []
        if images is not None:
            # A call has an image at least, so as many requests as images can never be too many.
            claims.append(self._claim(order, "requests", images, 1, None))
            claims.append(self._claim(order, "input-images", images, order.n, throttling.IMAGES))
        if tokens is not None:
            claims.append(self._claim(order, "tokens", tokens, order.usage.total, throttling.TOKENS))
        return claims

    def _claim(
        self, order: Order, name: str, limit: int, wanted: int, unit: throttling.Unit | None
    ) -> _Claim:
        now = self._clock()
        bucket = self._buckets.setdefault((order.model.id, name), _Bucket(float(limit), now))
        bucket.refill(limit, now)
        return _Claim(name, limit, wanted, bucket, unit)

    def _check(self, claim: _Claim, claims: list[_Claim], model: str) -> None:
        if claim.unit is None or claim.wanted <= claim.bucket.left:
            return
        if claim.wanted > claim.limit:
            error = throttling.request_too_large(
                model,
                unit=claim.unit,
                limit=claim.limit,
                requested=claim.wanted,
                headers=self._headers(claims),
            )
        else:
            error = throttling.rate_limited(
                model,
                unit=claim.unit,
                limit=claim.limit,
                used=claim.limit - int(claim.bucket.left),
                requested=claim.wanted,
                seconds=claim.seconds,
                headers=self._headers(claims),
            )
        if not self._has_headers:
            error.headers = {}
        raise error

    def _headers(self, claims: list[_Claim]) -> dict[str, str]:
        if not self._has_headers:
            return {}
        return {name: value for claim in claims for name, value in claim.headers().items()}
