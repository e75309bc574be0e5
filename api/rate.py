"""How many requests may a key send? Counted by each API process for itself.

A key has a bucket of requests that fills evenly, so that a short burst is let through. What is kept is one
time for each key: when its bucket will be full again.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import RATE_LIMITED, Problem
from imagemill.domain.access import Caller

BURST_SECONDS = 5
LEAST_BURST = 10
MOST_KEYS = 10_000
"""Of so many keys the fill is remembered; of those that asked longest ago it is forgotten first."""

NOTED = "imagemill.rate"


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a key's bucket after a request; ``taken``: the request was within it."""

    taken: bool
    requests: int
    next_in: float
    """Seconds until there is one request more."""
    per_minute: int

    @property
    def fields(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers-11: what is the rule, and what is left."""
        burst = burst_of(self.per_minute)
        window = math.ceil(burst * 60 / self.per_minute)
        return {
            "RateLimit-Policy": f'"minute";q={self.per_minute};w=60, "burst";q={burst};w={window}',
            "RateLimit": f'"burst";r={self.requests};t={self.wait}',
        }

    @property
    def wait(self) -> int:
        """Whole seconds until it is worth to ask again."""
        return max(1, math.ceil(self.next_in))


def burst_of(per_minute: int) -> int:
    """So many requests may come at once."""
    return max(LEAST_BURST, per_minute * BURST_SECONDS // 60)


class RateLimits:
    """The buckets of all keys."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most_keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._most = most_keys
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def count(self, caller: Caller, scope: MutableMapping[str, Any]) -> None:
        """Count a request, and note in its ASGI scope what the answer is to say of it.

        Raises:
            Problem: the key has sent too many.
        """
        if caller.requests_per_minute is None:
            return
        left = self.take(caller.key_id, caller.requests_per_minute)
        scope[NOTED] = left.fields
        if not left.taken:
            raise Problem(
                RATE_LIMITED,
                f"this key may send {left.per_minute} requests a minute; the next one in {left.wait} s",
                headers={"Retry-After": str(left.wait)},
            )

    def take(self, key_id: str, per_minute: int) -> Left:
        """Take one request out of a key's bucket, if there is one."""
        now, each, burst = self._clock(), 60 / per_minute, burst_of(per_minute)
        full_at = self._full_at.get(key_id, now)
        full_at = min(max(full_at, now), now + burst * each)  # by another limit, it was further away
        taken = full_at - now <= (burst - 1) * each + _ROUNDING
        if taken:
            full_at += each
        self._keep(key_id, full_at)
        left = max(0.0, burst - (full_at - now) / each)
        whole = math.floor(left + _ROUNDING)
        return Left(taken, whole, max(0.0, (whole + 1 - left) * each), per_minute)

    def _keep(self, key_id: str, full_at: float) -> None:
        self._full_at[key_id] = full_at
        self._full_at.move_to_end(key_id)
        while len(self._full_at) > self._most:
            self._full_at.popitem(last=False)


_ROUNDING = 1e-9


class RateFields:
    """Puts what was noted of a request's rate on its answer, errors and streams included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and NOTED in scope:
                fields = [(name.lower().encode(), value.encode()) for name, value in scope[NOTED].items()]
                message["headers"] = [*message.get("headers", ()), *fields]
            await send(message)

        await self._app(scope, receive, told if scope["type"] == "http" else send)
