"""The pace of a limit group: what its provider tells of its limits, and how fast we go by it.

All workers of a group share one `PoolState`, which the workflow ``imagemill.pool`` keeps: they tell it their
`PoolNews`, and read its `Pace`.
"""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field

START = 30.0
"""Images a minute to begin with where nothing is known of the limit."""

MARGIN = 0.985
"""So much of a known limit is used: what is dispatched evenly does not arrive quite evenly."""

LOWERED, CLIMB, RECOVER = 0.7, 0.05, 0.02
"""After a 429 the rate is lowered to this share; it climbs by these shares of itself and of the limit."""

PERIOD = timedelta(seconds=5)
"""The rate is changed once in this time at most."""

SILENT = timedelta(seconds=60)
"""A worker that has said nothing for so long is not counted any more."""


class Told(BaseModel):
    """What one answer said of the limits of its account and model; None where it said nothing.

    Read from ``x-ratelimit-{limit,remaining,reset}-{requests,tokens,input-images}``, and from the text of a
    429. Images are ``input-images`` where there are such headers, otherwise ``requests``.
    """

    model: str | None = None
    """Which model was asked for: some providers limit each by itself."""
    images_limit: int | None = None
    """Images a minute."""
    images_left: int | None = None
    images_reset: float | None = None
    """Seconds until all of them are there again."""
    tokens_limit: int | None = None
    """Tokens a minute."""
    tokens_left: int | None = None
    tokens_reset: float | None = None
    wait: float | None = None
    """Seconds in which nothing may be sent, from a 429."""
    over: str | None = None
    """Of a 429: which limit it was, ``images`` or ``tokens``; None where it did not say."""


class Trouble(BaseModel):
    """Why no call of a group can succeed, and when one is tried again."""

    code: str
    since: datetime
    next_probe: datetime
    wait: float
    """Seconds between the probe before and the next one."""


class PoolNews(BaseModel):
    """What a worker has seen since it last told."""

    worker: str
    calls: int = 0
    images: int = 0
    """Asked for by those calls."""
    tokens: int = 0
    """That those calls were expected to count."""
    refused: int = 0
    """Calls answered with a 429 of a limit."""
    told: Told | None = None
    """The newest limits, and of a 429 the longest wait."""
    trouble: Trouble | None = None
    mended: bool = False
    """A call has succeeded in spite of the trouble that was known."""


class Pace(BaseModel):
    """What the workers of a group go by."""

    images_per_minute: float | None = None
    """None: as fast as they can."""
    tokens_per_minute: int | None = None
    paused_until: datetime | None = None
    trouble: Trouble | None = None
    workers: int = 1

    def dispatches_a_second(self, images_a_call: float, tokens_a_call: float = 0.0) -> float | None:
        """The rate of the group's queue, which counts calls; None: no limit.

        By tokens too, so that calls wait in the queue, where tenants take turns, and not at the gates.
        """
        rates = []
        if self.images_per_minute is not None:
            rates.append(self.images_per_minute / 60 / max(1.0, images_a_call))
        if self.tokens_per_minute is not None and tokens_a_call > 0:
            rates.append(self.tokens_per_minute * MARGIN / 60 / tokens_a_call)
        return min(rates, default=None)


class PoolState(BaseModel):
    """All that was learnt of a group. Its methods are told the time, and never ask for it."""

    rate: float | None = None
    """Images a minute; None: not limited."""
    limit: int | None = None
    """Images a minute that the provider allows, as far as known; the least, of several models."""
    limits: dict[str, int] = Field(default_factory=dict)
    """What was told for each model."""
    stated: int | None = None
    """The same, as the operator states it: what the provider tells counts only if it is less."""
    tokens: int | None = None
    tokens_stated: int | None = None
    climbing: bool = False
    """Nothing is known but that it went well so far: the rate doubles."""
    images_a_call: float = 1.0
    tokens_a_call: float = 0.0
    paused_until: datetime | None = None
    trouble: Trouble | None = None
    seen: dict[str, datetime] = Field(default_factory=dict)
    lowered_at: datetime | None = None
    changed_at: datetime | None = None
    asked: int = 0
    """Images asked for since then."""

    @classmethod
    def of(
        cls, images: int | Literal["unlimited"] | None, tokens: int | Literal["unlimited"] | None
    ) -> "PoolState":
        """Before the first answer, by what the operator states."""
        stated = images if isinstance(images, int) else None
        rate = None if images == "unlimited" else (stated or START)
        counted = tokens if isinstance(tokens, int) else None
        return cls(
            rate=_margin(stated) if stated else rate,
            limit=stated,
            stated=stated,
            tokens=counted,
            tokens_stated=counted,
            climbing=images is None,
        )

    def pace(self, now: datetime) -> Pace:
        """What the workers are to go by."""
        active = sum(now - at < SILENT for at in self.seen.values())
        return Pace(
            images_per_minute=self.rate,
            tokens_per_minute=self.tokens,
            paused_until=self.paused_until if self.paused_until and self.paused_until > now else None,
            trouble=self.trouble,
            workers=max(1, active),
        )

    def hear(self, news: PoolNews, now: datetime) -> None:
        """Take in what a worker has seen."""
        self.seen = {name: at for name, at in self.seen.items() if now - at < SILENT} | {news.worker: now}
        self.asked += news.images
        if news.calls:
            weight = min(1.0, news.calls / 50)
            self.images_a_call += (news.images / news.calls - self.images_a_call) * weight
            tokens = news.tokens / news.calls
            self.tokens_a_call += (tokens - self.tokens_a_call) * (weight if self.tokens_a_call else 1)
        self.changed_at = self.changed_at or now
        if news.told:
            self._learn(news.told)
        if news.refused:
            self._slow_down(news.told or Told(), now)
        if news.mended:
            self.trouble = None
        if news.trouble and not (self.trouble and self.trouble.next_probe > news.trouble.next_probe):
            self.trouble = news.trouble

    def _learn(self, told: Told) -> None:
        if told.tokens_limit:
            self.tokens = min(told.tokens_limit, self.tokens_stated or told.tokens_limit)
        if told.images_limit:
            self.limits[told.model or ""] = told.images_limit
            limit = min([*self.limits.values(), *([self.stated] if self.stated else [])])
            if limit != self.limit or self.climbing:
                self.limit, self.rate, self.climbing = limit, _margin(limit), False

    def _slow_down(self, told: Told, now: datetime) -> None:
        if told.wait:
            until = now + timedelta(seconds=told.wait)
            self.paused_until = max(until, self.paused_until or until)
        if told.over == "tokens":
            return
        asked = self._asked_a_minute(now)
        self.climbing, self.changed_at, self.asked = False, now, 0
        if self.lowered_at and now - self.lowered_at < PERIOD:
            return
        self.lowered_at = now
        if self.limit:
            self.rate = max(self.limit / 2, (self.rate or self.limit) * 0.9)
        else:
            self.rate = max(1.0, (self.rate or asked) * LOWERED)

    def climb(self, now: datetime) -> None:
        """Go faster, if the rate was used and nothing has spoken against it for a period."""
        if self.rate is None or not self.changed_at or now - self.changed_at < PERIOD:
            return
        used = self._asked_a_minute(now) >= 0.7 * self.rate
        self.changed_at, self.asked = now, 0
        if not used:
            return
        if self.limit:
            self.rate = min(_margin(self.limit), self.rate + RECOVER * self.limit)
        elif self.climbing:
            self.rate *= 2
        else:
            self.rate += max(1.0, CLIMB * self.rate)

    def _asked_a_minute(self, now: datetime) -> float:
        seconds = max(1.0, (now - self.changed_at).total_seconds()) if self.changed_at else 60.0
        return self.asked * 60 / seconds


def _margin(limit: int) -> float:
    return limit * MARGIN
