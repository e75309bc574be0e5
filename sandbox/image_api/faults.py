"""Failures to order: a plan of faults, each striking the calls it matches."""

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from sandbox.image_api.kinds import Kind
from sandbox.image_api.order import Order

__all__ = ["Fault", "FaultPlan", "Kind", "read_plan"]

DEFAULT_SECONDS = {
    Kind.RATE_LIMIT: 1.0,
    Kind.RATE_LIMIT_TOKENS: 1.0,
    Kind.HANG: 3600.0,
    Kind.DRIP: 5.0,
    Kind.DELAY: 1.0,
    Kind.SLOW_START: 5.0,
}
Status = Literal[408, 409, 500, 502, 503, 504, 524]


class Fault(BaseModel):
    """One line of the plan.

    Of the calls whose prompt contains `match` (null: all) to the `endpoint` (null: both), the first `skip`
    are spared; after that each is struck with `probability`, until `times` (null: no end) were. `seconds`
    is how long a `hang`, a `drip` or a `delay` takes, when a rate limit says to come back, and how long
    after it was ordered a `slow_start` lasts. `status` is what an `error_billed`, an `error_unbilled` and
    a `non_json_500` answer with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    match: str | None = None
    endpoint: Literal["generations", "edits"] | None = None
    times: Annotated[int, Field(ge=0)] | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seconds: Annotated[float, Field(ge=0)] | None = None
    status: Status = 500

    @property
    def duration(self) -> float:
        """`seconds`, or what this kind takes by default."""
        return DEFAULT_SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds

    def matches(self, order: Order) -> bool:
        """Whether the fault is meant for such a call at all."""
        # One image less than one is another fault: `empty_data`.
        if self.kind is Kind.FEWER_IMAGES and order.n == 1:
            return False
        if self.kind is Kind.STREAM_ERROR and not order.streamed:
            return False
        if self.endpoint not in {None, order.endpoint}:
            return False
        return self.match is None or self.match in order.prompt


class _Line:
    """A fault with its counts."""

    def __init__(self, fault: Fault, seed: str, clock: Callable[[], float]) -> None:
        self.fault = fault
        self.seen = 0
        self.hits = 0
        self._seed = seed
        self._clock = clock
        self._since = clock()
        self._visits: Counter[str] = Counter()

    def strikes(self, order: Order) -> bool:
        if not self.fault.matches(order):
            return False
        self.seen += 1
        if self.seen <= self.fault.skip or self._is_over or not self._is_unlucky(order.prompt_sha256):
            return False
        self.hits += 1
        return True

    @property
    def _is_over(self) -> bool:
        if self.fault.kind is Kind.SLOW_START and self._clock() >= self._since + self.fault.duration:
            return True
        return self.fault.times is not None and self.hits >= self.fault.times

    def _is_unlucky(self, prompt: str) -> bool:
        # By prompt and visit, not by arrival: calls side by side arrive in another order every time.
        self._visits[prompt] += 1
        chance = random.Random(f"{self._seed}/{prompt}/{self._visits[prompt]}")  # noqa: S311
        return chance.random() < self.fault.probability


class FaultPlan:
    """The faults in force, in order; the first one that strikes a call is the only one."""

    def __init__(self, seed: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seed = seed
        self._clock = clock
        self._lines: list[_Line] = []

    def replace(self, faults: list[Fault]) -> None:
        """Put another plan in force; all counts begin anew."""
        self._lines = [
            _Line(fault, f"{self._seed}/{position}", self._clock) for position, fault in enumerate(faults)
        ]

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
