"""What is left of a limit by the minute, as one worker knows it."""

from collections import deque

ON_THE_WAY = 1.0
"""Seconds that a call may take to reach the provider: what refills meanwhile is not counted on."""


class Bucket:
    """A token bucket that the provider's own words correct. Times are seconds of one clock.

    A limit refills evenly, and never holds more than a minute's worth. Of it, and of what an answer tells was
    left, this worker counts on its share, since others send too.
    """

    def __init__(self) -> None:
        self.limit: float | None = None
        self._workers = 1
        self._level = 0.0
        self._at = 0.0
        self._told_at = float("-inf")
        self._largest = 0.0
        self._sent: deque[tuple[float, float]] = deque()

    def set_limit(self, limit: float | None, workers: int, now: float) -> None:
        """What all workers may take a minute together; None: not limited."""
        if limit is None:
            self.limit = None
            return
        if self.limit is None:
            self._level, self._at = limit / workers, now
        self._refill(now)
        self.limit, self._workers = limit, workers
        self._level = min(self._level, limit)

    def wait_for(self, amount: float, now: float) -> float:
        """Seconds until so much is there; an amount above the whole limit waits for all of it."""
        if self.limit is None:
            return 0.0
        self._refill(now)
        self._largest = max(self._largest, min(amount, self.limit))
        missing = min(amount, self.limit) - self._level
        return max(0.0, missing * 60 * self._workers / self.limit) if missing > 1e-9 else 0.0

    def take(self, amount: float, now: float) -> None:
        """It is sent."""
        if self.limit is not None:
            self._refill(now)
            self._level -= amount
        self._sent.append((now, amount))
        while self._sent and now - self._sent[0][0] > 660:
            self._sent.popleft()

    def tell(self, left: float, sent_at: float, now: float) -> None:
        """A call that was sent at that time was told what was left after it."""
        if self.limit is None or sent_at <= self._told_at:
            return
        self._told_at = sent_at
        since = sum(amount for at, amount in self._sent if at > sent_at)
        refilled = max(0.0, now - sent_at - ON_THE_WAY) * self.limit / 60
        self._level, self._at = min(self.limit, left + refilled) / self._workers - since, now

    def give_back(self, amount: float) -> None:
        """What was taken was not sent."""
        if self.limit is not None:
            self._level += amount
        for place in range(len(self._sent) - 1, -1, -1):
            if self._sent[place][1] == amount:
                del self._sent[place]
                return

    def empty(self, amount: float, wait: float, now: float) -> None:
        """So much was refused: it is there after so many seconds. Where none are told, nothing is left."""
        if self.limit is not None:
            self._refill(now)
            share = self.limit / self._workers
            self._level = min(amount, self.limit) - wait * share / 60 if wait else min(self._level, 0.0)

    def _refill(self, now: float) -> None:
        if self.limit is not None:
            share = self.limit / self._workers
            most = max(share, self._level, self._largest)
            self._level = min(most, self._level + max(0.0, now - self._at) * share / 60)
        self._at = now
