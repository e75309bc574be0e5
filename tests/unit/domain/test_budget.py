import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from imagemill.domain.budget import Account, Lease, Leases, Overdrawn

AMOUNTS = st.integers(0, 60)


class AccountMachine(RuleBasedStateMachine):
    """Reservations through their lives, beside a ledger of what the provider really charged."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(cap=100)
        self.open: dict[str, int] = {}
        self.lost: dict[str, int] = {}
        self.spent = 0
        self.count = 0

    @rule(amount=AMOUNTS)
    def reserve(self, amount: int) -> None:
        self.count += 1
        name = f"r{self.count}"
        if amount > 100 - self.spent - sum(self.open.values()) - sum(self.lost.values()):
            with pytest.raises(Overdrawn):
                self.account.reserve(name, amount)
            return
        self.account.reserve(name, amount)
        self.open[name] = amount

    @precondition(lambda self: self.open)
    @rule(data=st.data(), how=st.sampled_from(["settle", "release", "write_off", "again"]))
    def end_one(self, data: st.DataObject, how: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        if how == "again":
            with pytest.raises(ValueError, match="exists already"):
                self.account.reserve(name, 0)
            return
        amount = self.open.pop(name)
        if how == "settle":
            cost = data.draw(st.integers(0, amount))
            self.account.settle(name, cost)
            self.spent += cost
        elif how == "release":
            self.account.release(name)
        else:
            self.account.write_off(name)
            self.lost[name] = amount

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def recover(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.lost)))
        cost = data.draw(st.integers(0, self.lost.pop(name)))
        assert self.account.recover(name, cost) is True
        assert self.account.recover(name, cost) is False
        self.spent += cost

    @rule()
    def recovering_what_was_not_lost_changes_nothing(self) -> None:
        before = self.account.model_dump()
        assert self.account.recover("nobody", 5) is False
        assert self.account.model_dump() == before

    @invariant()
    def the_cap_holds_and_the_books_are_right(self) -> None:
        account = self.account
        assert account.cap >= account.settled + account.written_off + sum(account.reserved.values())
        assert account.settled == self.spent
        assert account.reserved == self.open
        assert (account.written_off, account.lost) == (sum(self.lost.values()), self.lost)
        assert account.available == account.cap - account.committed


class LeasesMachine(RuleBasedStateMachine):
    """A job and its chunks, whose reports and grants may be repeated, and whose chunks may vanish."""

    def __init__(self) -> None:
        super().__init__()
        self.leases = Leases(cap=1000)
        self.chunks: dict[int, Account] = {}
        self.granted: dict[int, int] = {}
        self.returned: dict[int, int] = {}
        self.spent = 0
        self.given_up = 0
        self.count = 0

    @rule(amount=st.integers(0, 600))
    def open_chunk(self, amount: int) -> None:
        self.count += 1
        self.chunks[self.count] = Account(cap=0)
        self.granted[self.count] = self.returned[self.count] = 0
        self._take(self.count, self.leases.grant(self.count, amount))

    @precondition(lambda self: self.chunks)
    @rule(data=st.data(), amount=st.integers(0, 600))
    def top_up(self, data: st.DataObject, amount: int) -> None:
        chunk = self._one(data)
        free = self.leases.free
        total = self.leases.grant(chunk, amount)
        assert total == self.granted[chunk] + min(amount, free)
        self._take(chunk, total)
        self._take(chunk, total)  # the same signal twice

    @precondition(lambda self: self.chunks)
    @rule(data=st.data(), amount=st.integers(0, 300), how=st.sampled_from(["settle", "write_off", "keep"]))
    def work(self, data: st.DataObject, amount: int, how: str) -> None:
        chunk = self._one(data)
        account = self.chunks[chunk]
        self.count += 1
        try:
            account.reserve(f"r{self.count}", amount)
        except Overdrawn:
            return
        if how == "settle":
            account.settle(f"r{self.count}", data.draw(st.integers(0, amount)))
        elif how == "write_off":
            account.write_off(f"r{self.count}")

    @precondition(lambda self: self.chunks)
    @rule(data=st.data(), returns=st.booleans())
    def report(self, data: st.DataObject, returns: bool) -> None:
        chunk = self._one(data)
        if returns:
            self._return(chunk)
        self._report(chunk)
        once = self.leases.model_dump()
        self._report(chunk)
        assert self.leases.model_dump() == once

    @precondition(lambda self: self.chunks)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        chunk = self._one(data)
        account = self.chunks[chunk]
        for name in list(account.reserved):
            account.release(name)
        self._return(chunk)
        self._report(chunk)
        self.leases.close(chunk)
        self.spent += account.settled
        self.given_up += account.written_off
        del self.chunks[chunk]

    @precondition(lambda self: self.chunks)
    @rule(data=st.data())
    def vanish(self, data: st.DataObject) -> None:
        chunk = self._one(data)
        known = self.leases.chunks[chunk]
        held, settled = known.held, known.settled
        self.leases.write_off(chunk)
        self.spent += settled
        self.given_up += held - settled
        del self.chunks[chunk]

    @invariant()
    def the_cap_covers_all_that_chunks_can_spend(self) -> None:
        promised = sum(account.cap for account in self.chunks.values())
        assert self.leases.cap >= self.spent + self.given_up + promised
        assert all(account.committed <= account.cap for account in self.chunks.values())

    @invariant()
    def no_money_is_made_or_lost(self) -> None:
        held = sum(lease.held for lease in self.leases.chunks.values())
        assert self.leases.free + held + self.spent + self.given_up == self.leases.cap
        assert self.leases.closed_settled == self.spent
        assert self.leases.closed_written_off == self.given_up
        assert self.leases.settled >= self.spent

    def _one(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.chunks)))

    def _take(self, chunk: int, total: int) -> None:
        """What a chunk does with a grant: the difference to what it has heard of."""
        self.chunks[chunk].cap += total - self.granted[chunk]
        self.granted[chunk] = total

    def _return(self, chunk: int) -> None:
        account = self.chunks[chunk]
        self.returned[chunk] += account.available
        account.cap -= account.available

    def _report(self, chunk: int) -> None:
        account = self.chunks[chunk]
        self.leases.update(
            chunk,
            granted=self.granted[chunk],
            returned=self.returned[chunk],
            settled=account.settled,
            written_off=account.written_off,
        )


TestAccount = AccountMachine.TestCase
TestAccount.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLeases = LeasesMachine.TestCase
TestLeases.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_cap_lowered_below_what_is_committed_leaves_nothing() -> None:
    account = Account(cap=10)
    account.reserve("a", 8)
    account.cap = 5

    assert account.available == 0
    with pytest.raises(Overdrawn):
        account.reserve("b", 1)


def test_a_written_off_reservation_is_never_used_again() -> None:
    account = Account(cap=10)
    account.reserve("a", 1)
    account.write_off("a")

    with pytest.raises(ValueError, match="exists already"):
        account.reserve("a", 1)


def test_drift_is_charged_all_the_same() -> None:
    account = Account(cap=10)
    account.reserve("a", 8)
    account.settle("a", 15)

    assert (account.settled, account.available) == (15, 0)
    assert Lease(granted=8, settled=15).held == 15
