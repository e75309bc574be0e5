"""Failures to order: a plan of faults, each striking the calls it matches."""

import random
from collections import Counter
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from sandbox.image_api.order import Order


class Kind(StrEnum):
    """What can go wrong. Whether the call is billed is part of the kind."""

    # Not billed.
    ERROR_500_UNBILLED = "error_500_unbilled"
    NON_JSON_500 = "non_json_500"
    RESET_BEFORE_BILLING = "reset_before_billing"
    RATE_LIMIT = "rate_limit"
    INSUFFICIENT_QUOTA = "insufficient_quota"
    BILLING_HARD_LIMIT = "billing_hard_limit"
    INVALID_API_KEY = "invalid_api_key"
    UNVERIFIED_ORG = "unverified_org"
    # Billed, and the answer does not arrive whole, or late.
    ERROR_500_BILLED = "error_500_billed"
    RESET_AFTER_BILLING = "reset_after_billing"
    TRUNCATE = "truncate"
    HANG = "hang"
    DRIP = "drip"
    DELAY = "delay"
    # Billed, and the answer says something odd.
    EMPTY_DATA = "empty_data"
    NO_USAGE = "no_usage"
    ZERO_USAGE = "zero_usage"
    FEWER_IMAGES = "fewer_images"
    WRONG_MIME = "wrong_mime"
    URL_INSTEAD = "url_instead"
    EXTRA_FIELDS = "extra_fields"


DEFAULT_SECONDS = {Kind.RATE_LIMIT: 1.0, Kind.HANG: 3600.0, Kind.DRIP: 5.0, Kind.DELAY: 1.0}


class Fault(BaseModel):
    """One line of the plan.

    Of the calls whose prompt contains `match` (null: all), the first `skip` are spared; after that
    each is struck with `probability`, until `times` (null: no end) were. `seconds` is how long a `hang`, a
    `drip` or a `delay` takes, and when a `rate_limit` says to come back.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    match: str | None = None
    times: Annotated[int, Field(ge=0)] | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seconds: Annotated[float, Field(ge=0)] | None = None

    @property
    def duration(self) -> float:
        """`seconds`, or what this kind takes by default."""
        return DEFAULT_SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds

    def matches(self, order: Order) -> bool:
        """Whether the fault is meant for such a call at all."""
        # One image less than one is another fault: `empty_data`.
        if self.kind is Kind.FEWER_IMAGES and order.n == 1:
            return False
        return self.match is None or self.match in order.prompt


class _Line:
    """A fault with its counts."""

    def __init__(self, fault: Fault, seed: str) -> None:
        self.fault = fault
        self.seen = 0
        self.hits = 0
        self._seed = seed
        self._visits: Counter[str] = Counter()

    def strikes(self, order: Order) -> bool:
        if not self.fault.matches(order):
            return False
        self.seen += 1
        is_over = self.fault.times is not None and self.hits >= self.fault.times
        if self.seen <= self.fault.skip or is_over or not self._is_unlucky(order.prompt_sha256):
            return False
        self.hits += 1
        return True

    def _is_unlucky(self, prompt: str) -> bool:
        # By prompt and visit, not by arrival: calls side by side arrive in another order every time.
        self._visits[prompt] += 1
        chance = random.Random(f"{self._seed}/{prompt}/{self._visits[prompt]}")  # noqa: S311
        return chance.random() < self.fault.probability


class FaultPlan:
    """The faults in force, in order; the first one that strikes a call is the only one."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._lines: list[_Line] = []

    def replace(self, faults: list[Fault]) -> None:
        """Put another plan in force; all counts begin anew."""
        self._lines = [_Line(fault, f"{self._seed}/{position}") for position, fault in enumerate(faults)]

    def strike(self, order: Order) -> Fault | None:
        """The fault that befalls this call, if any."""
        return next((line.fault for line in self._lines if line.strikes(order)), None)

    def report(self) -> list[dict[str, object]]:
        """Each fault as it was given, with how many calls it has `seen` (matched) and `hits` (struck)."""
        return [
            {**line.fault.model_dump(mode="json"), "seen": line.seen, "hits": line.hits}
            for line in self._lines
        ]


_PLAN = TypeAdapter(list[Fault])


def read_plan(body: bytes) -> list[Fault]:
    """Parse a plan: a JSON list of faults.

    Raises:
        pydantic.ValidationError: an unknown kind or field, or a count out of range.
    """
    return _PLAN.validate_json(body)
