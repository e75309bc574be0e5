"""What is sent again, when, and how often.

Only what is harmless to repeat: reads, changes that set a state, submissions with an idempotency key. All
else is repeated only where the service provably did not take it: it could not be reached, or said 429.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from imagemill_client._core.reading import refusal
from imagemill_client._core.steps import Call, Lost, Reply, Request, send, sleep
from imagemill_client.errors import ConnectionFailed, Timeout

PASSING = frozenset({429, 502, 503, 504})
FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
LONGEST_ASKED = 60.0
"""A service that asks for a longer wait than that is not waited for: its answer is an error."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is repeated, by which chance its waits differ, and within what time."""

    most: int = 6
    chance: Callable[[], float] = field(default=random.random, repr=False)
    left: Callable[[], float] = field(default=lambda: math.inf, repr=False)

    def after_answer(self, request: Request, reply: Reply, tries: int) -> float | None:
        """Seconds to wait before it is sent again; None: it is not."""
        if tries > self.most or not _worth_it(request, reply):
            return None
        asked = asked_wait(reply)
        if asked is None:
            return self._in_time(self.backoff(tries))
        return None if asked > LONGEST_ASKED else self._in_time(asked + self.backoff(1) / 2)

    def after_loss(self, request: Request, lost: Lost, tries: int) -> float | None:
        """The same, where there was no answer."""
        if tries > self.most or (lost.sent and not request.repeatable):
            return None
        return self._in_time(self.backoff(tries))

    def _in_time(self, wait: float) -> float | None:
        return wait if wait < self.left() else None

    def backoff(self, tries: int) -> float:
        """Twice as long each time, and a random share of that, so that not all come back at once."""
        return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1)) * (0.5 + self.chance() / 2))


def _worth_it(request: Request, reply: Reply) -> bool:
    said = reply.headers.get("x-should-retry", "").lower()
    if said == "false":
        return False
    if reply.status == 429:
        return True
    return request.repeatable and (said == "true" or reply.status in PASSING)


def asked_wait(reply: Reply) -> float | None:
    """The seconds of ``Retry-After``, which may also be a date."""
    said = reply.headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(said)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def answered(request: Request, retries: Retries) -> Call[Reply]:
    """An answer that is no error, if need be by sending the request again.

    Raises:
        ServiceError: the service says no.
        ConnectionFailed: nothing answered.
    """
    tries, maybe_done = 0, False
    while True:
        tries += 1
        try:
            reply = yield from send(request)
        except Lost as lost:
            maybe_done = maybe_done or lost.sent
            wait = retries.after_loss(request, lost, tries)
            if wait is None:
                raise _failed(lost, tries, maybe_done) from None
        else:
            if reply.status < 400:
                return reply
            wait = retries.after_answer(request, reply, tries)
            if wait is None:
                raise refusal(reply, asked_wait(reply))
        yield from sleep(wait)


def _failed(lost: Lost, tries: int, maybe_done: bool) -> ConnectionFailed:
    kind = ConnectionFailed if lost.in_time else Timeout
    times = "once" if tries == 1 else f"{tries} times"
    return kind(f"The service did not answer ({lost.what}), asked {times}.", maybe_done=maybe_done)
