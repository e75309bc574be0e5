"""Which cap of a job was in force when, as far as clients can know."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tests.chaos.checker.clients import Call, Clients
from tests.chaos.checker.jobs import Job
from tests.chaos.checker.money import nano


@dataclass(frozen=True, slots=True)
class Change:
    """A cap that somebody asked for: it may be in force from `since` on, and surely is after `done`."""

    cap: int
    since: float
    done: float


@dataclass(frozen=True, slots=True)
class Bound:
    """A cap was seen in force: for a time nothing goes above it, or what was committed then."""

    since: float
    until: float
    most: int


class Caps:
    """The caps of one job."""

    def __init__(self, job: Job, clients: Clients) -> None:
        self.changes = [*_first(job), *_later(clients.of("set-budget", job=job.id))]
        self.bounds = [bound for call in clients.states(job.id) if (bound := self._bound(call))]

    def most(self, moment: float) -> int | None:
        """The most that may have been billed at a moment; None: nobody knows of a cap."""
        caps = [change.cap for change in self.changes if change.since <= moment]
        if not caps:
            return None
        bounds = [bound.most for bound in self.bounds if bound.since < moment < bound.until]
        return min([max(caps), *bounds])

    def _bound(self, call: Call) -> Bound | None:
        """What a status shows, if no other cap can have come into force while it was read."""
        cost = call.body.get("cost") or {}
        if "limit_usd" not in cost or call.done == math.inf:
            return None
        limit = nano(cost["limit_usd"])
        before = [change for change in self.changes if change.since < call.done]
        # What was accepted comes into force a little later: an old cap may still be read after that.
        since = min((change.since for change in before if change.cap == limit), default=-math.inf)
        if any(change.done >= since for change in before if change.cap > limit):
            return None
        until = min(
            (c.since for c in self.changes if c.since >= call.done and c.cap > limit), default=math.inf
        )
        return Bound(call.done, until, max(limit, nano(cost["committed_usd"])))


def _first(job: Job) -> Iterable[Change]:
    budget = job.asked.get("budget") or {}
    if "limit_usd" in budget:
        # A submission that was repeated is in force since the first time, whoever heard of it.
        yield Change(nano(budget["limit_usd"]), -math.inf, min(call.done for call in job.makers))


def _later(calls: Iterable[Call]) -> Iterable[Change]:
    for call in calls:
        limit = (call.asked.get("budget") or {}).get("limit_usd")
        if limit is not None and not call.is_refused:
            yield Change(nano(limit), call.began, call.done)
