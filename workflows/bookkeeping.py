"""The money of the items of one chunk: what each call reserves, costs, or is written off at."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from imagemill.domain.budget import UNKNOWN_MODEL
from imagemill.domain.item import Attempt, CallRecord, ItemRecord, ItemState
from imagemill.domain.messages import GenerationState, ImageOutcome
from imagemill.domain.trust import Trust
from workflows import failures


class Bookkeeping:
    """Keeps the account of a generation, and each item's attempts; all of it is in ``state``."""

    def __init__(self, state: GenerationState) -> None:
        self._state = state
        self._needed: list[int] = []
        self.refresh()

    def refresh(self) -> None:
        """The maxima, or how far they are trusted, have changed."""
        maxima = self._state.maxima
        self._needed = [self.trust(index).reservation(maximum) for index, maximum in enumerate(maxima)]

    # --- what calls may cost ------------------------------------------------------------------

    def model(self, index: int) -> str:
        """The model of an item."""
        state = self._state
        return state.models[state.model_of[index]] if index < len(state.model_of) else UNKNOWN_MODEL

    def trust(self, index: int) -> Trust:
        """How far the maximum of its model is trusted."""
        return self._state.trust.setdefault(self.model(index), Trust())

    def needs(self, index: int) -> int:
        """What a call for this item reserves."""
        return self._needed[index]

    def pending_nano(self) -> int:
        """What it takes to buy the items that wait, as expected: the last one needs its whole reservation."""
        state = self._state
        known = [index for index in state.pending if index < len(state.expected)]
        spare = max((self._needed[index] - state.expected[index] for index in known), default=0)
        return sum(state.expected[index] for index in known) + max(0, spare)

    # --- the life of a reservation ------------------------------------------------------------

    def reserve(self, index: int, reservation: str) -> None:
        """Set aside what the call can cost."""
        self._state.account.reserve(reservation, self.needs(index))

    def outcome(self, record: ItemRecord, reservation: str, outcome: ImageOutcome) -> None:
        """Settle, write off or release, as the worker has told."""
        account, model = self._state.account, self.model(record.index)
        attempt = self._attempt(reservation, outcome.code, _request_id(reservation, outcome))
        if outcome.write_off:
            attempt.outcome, attempt.cost_nano = "written_off", attempt.reserved_nano
            account.write_off(reservation, model)
            self._state.uncertain.add(record.index)
        elif outcome.paid_nano is not None:
            attempt.outcome, attempt.cost_nano = "settled", outcome.paid_nano
            account.settle(reservation, outcome.paid_nano, model)
            self._learn(record.index, attempt, outcome)
        else:
            account.release(reservation)
            if outcome.wait is not None:
                return  # no call was made: that is no attempt
        record.attempts.append(attempt)

    def release(self, record: ItemRecord, reservation: str) -> None:
        """No call was made; of several that were taken back in a row the last one is kept."""
        attempt = self._attempt(reservation, "cancelled", None)
        if record.attempts and record.attempts[-1].code == "cancelled":
            record.attempts[-1] = attempt
            record.taken_back += 1
        else:
            record.attempts.append(attempt)
        self._state.account.release(reservation)

    def write_off(self, record: ItemRecord, reservation: str, error: ActivityError) -> None:
        """The call may have been billed: count all that it can have cost."""
        attempt = self._attempt(reservation, failures.code(error), failures.request_id(error))
        attempt.outcome, attempt.cost_nano = "written_off", attempt.reserved_nano
        record.attempts.append(attempt)
        self._state.account.write_off(reservation, self.model(record.index))
        self._state.uncertain.add(record.index)

    def recover(self, record: ItemRecord, call: CallRecord, *, foreign: bool) -> None:
        """The record names the reservation that paid: if that one was written off, it is settled now.

        ``foreign``: a reservation that this account does not know was made by a run that an operator
        has reset: its account is gone, its bill is not.
        """
        account, model = self._state.account, self.model(record.index)
        record.call = call
        if account.recover(call.reservation, call.cost_nano, model):
            for attempt in record.attempts:
                if attempt.reservation == call.reservation:
                    attempt.outcome, attempt.cost_nano = "recovered", call.cost_nano
            if not record.uncertain:
                self._state.uncertain.discard(record.index)
        elif foreign and call.reservation not in {each.reservation for each in record.attempts}:
            account.charge(call.cost_nano, model)
            record.attempts.append(
                Attempt(reservation=call.reservation, outcome="recovered", cost_nano=call.cost_nano)
            )

    def end(self, record: ItemRecord, end: ItemState) -> None:
        """The item has reached its end state."""
        record.state = end
        record.cost_nano = sum(attempt.cost_nano for attempt in record.attempts)
        self._state.records[record.index] = record
        images = len(record.call.images) if record.call else 0
        self._state.counts.count(end, images, reused=record.reused)

    def _attempt(self, reservation: str, code: str | None, request_id: str | None) -> Attempt:
        reserved = self._state.account.reserved[reservation]
        return Attempt(
            reservation=reservation,
            outcome="released",
            reserved_nano=reserved,
            code=code,
            request_id=request_id,
        )

    def _learn(self, index: int, attempt: Attempt, outcome: ImageOutcome) -> None:
        """Does the call show how far the maximum holds? An estimated cost shows nothing."""
        if outcome.call and outcome.call.estimated:
            return
        trust, maximum = self.trust(index), self._state.maxima[index]
        if trust.settled(maximum, attempt.reserved_nano, attempt.cost_nano):
            self.refresh()
            workflow.metric_meter().create_counter(
                "imagemill_drift_calls", "Calls that cost more than was reserved for them"
            ).add(1, {"model": self.model(index)})
            workflow.logger.warning("a call cost more than its reservation", extra={"index": index})


def _request_id(reservation: str, outcome: ImageOutcome) -> str | None:
    if outcome.request_id is None and outcome.call and outcome.call.reservation == reservation:
        return outcome.call.request_id
    return outcome.request_id
