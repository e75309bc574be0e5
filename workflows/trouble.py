"""What the calls of a chunk do when the provider is in trouble: another pool, or a hold with probes."""

from datetime import datetime, timedelta

from temporalio import workflow

from imagemill.domain.job import Hold
from imagemill.domain.messages import STORE_REFUSED, TENANT_REMOVED, GenerationState, ImageOutcome, Workplace
from imagemill.domain.pools import quarantine_of

ALIKE = 25
"""So many refusals with one code in a row are held for the account's trouble, not the items'."""

UNKNOWN = 8
"""So many calls of unknown outcome in a row are held as well: each of them is written off."""

PATIENCE_AFTER_RESUME = 10
"""Who resumes such a hold has this many times as many refusals before the next one."""


class Trouble:
    """Chooses the queue of each call, and holds when none is left; its memory is the chunk's state."""

    def __init__(self, place: Workplace, state: GenerationState) -> None:
        self._place = place
        self._state = state
        self._calls: dict[int, tuple[int, datetime]] = {}
        """Of each call under way: which of its model's queues it went to, and when."""

    def queue(self, index: int) -> str:
        """Where the call of an item is to wait; noted, until its outcome is told."""
        state = self._state
        model = self._model(index)
        queues = self._queues(model)
        place = min(state.failed_over.get(model, 0), max(0, len(queues) - 1))
        self._calls[index] = place, workflow.now()
        queue = queues[place] if queues else self._place.image_queue
        return quarantine_of(queue) if index in state.quarantined else queue

    def account(self, index: int, outcome: ImageOutcome) -> None:
        """The account of a call is in trouble: go on in the next pool, or stop and probe.

        Where it is the store or the tenant, no other pool is better off.
        """
        if outcome.code in (STORE_REFUSED, TENANT_REMOVED):
            self._calls.pop(index, None)
            self._hold(outcome.code, outcome.wait)
            return
        model, queues = self._model(index), self._queues(self._model(index))
        used, _ = self._calls.pop(index, (0, None))
        now_used = self._state.failed_over.get(model, 0)
        if used < now_used:
            return  # it was under way when the others were sent to another pool
        if used + 1 < len(queues):
            self._state.failed_over[model] = used + 1
            return
        self._state.failed_over.pop(model, None)
        self._hold(outcome.code or "account", outcome.wait)
        if (hold := self._state.hold) and hold.code == outcome.code:
            hold.pool = queues[used].split(".")[1] if queues else None
            hold.model = self._state.models[model] if model < len(self._state.models) else None

    def store_refuses(self, wait: float | None) -> None:
        """Nothing that is bought now could be stored."""
        self._hold(STORE_REFUSED, wait)

    def refused(self, index: int, code: str | None) -> None:
        """An item was refused for what it is; several alike in a row mean something else than one."""
        state = self._state
        if code != state.alike_code:
            self._over(index)
            state.alike, state.alike_code = 0, code
        state.alike += 1
        if state.alike >= ALIKE:
            self._hold("alike_refusals", None)
        else:
            self._over(index)

    def unknown(self, index: int) -> None:
        """Nobody can say whether the call was billed; several in a row are not the items' fault."""
        state = self._state
        if state.alike_code != "unknown_outcome":
            state.alike, state.alike_code = 0, "unknown_outcome"
        state.alike += 1
        self._calls.pop(index, None)
        if state.alike >= UNKNOWN:
            self._hold("provider_failing", None)

    def succeeded(self, index: int) -> None:
        """A call has brought images: if it was made since the trouble began, that is over."""
        self._state.alike, self._state.alike_code = 0, None
        self._over(index)

    def resume(self) -> None:
        """Somebody says to go on."""
        state = self._state
        hold = state.hold
        if hold and hold.code == "alike_refusals":
            state.alike, state.hold, state.probes = -ALIKE * PATIENCE_AFTER_RESUME, None, 0
        elif hold and hold.next_probe:
            hold.next_probe, state.insists = workflow.now(), True
        else:
            state.hold = None

    def _over(self, index: int) -> None:
        hold, (_, called_at) = self._state.hold, self._calls.pop(index, (0, None))
        if hold and hold.next_probe and called_at and called_at > hold.since:
            self._state.hold, self._state.probes = None, 0

    def _hold(self, code: str, wait: float | None) -> None:
        """Stop, and try one item now and then until the trouble is over.

        ``wait`` is when the pool tries one itself; no call was made then, and it says nothing new.
        """
        state, times = self._state, self._place.times
        now = workflow.now()
        if state.hold and (state.hold.next_probe is None or now < state.hold.next_probe):
            return  # it was under way when the trouble began
        since = state.hold.since if state.hold else now
        if wait is None:
            wait = min(times.last_probe, times.first_probe * 2**state.probes)
            state.probes += 1
        state.hold = Hold(code=code, since=since, next_probe=now + timedelta(seconds=wait))

    def _queues(self, model: int) -> list[str]:
        """Where a model's calls may wait, in order; none in a job that began before there were pools."""
        queues = self._state.queues
        return queues[model] if model < len(queues) else []

    def _model(self, index: int) -> int:
        models = self._state.model_of
        return models[index] if index < len(models) else 0
