import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from imagemill.domain.budget import (
    UNKNOWN_MODEL,
    Account,
    Lease,
    Leases,
    Overdrawn,
    Spend,
    merged,
    total,
)

AMOUNTS = st.integers(0, 60)
MODELS = st.sampled_from("ab")


class AccountMachine(RuleBasedStateMachine):
    """Reservations through their lives, beside a ledger of what the provider really charged."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(cap=100)
        self.open: dict[str, int] = {}
        self.lost: dict[str, tuple[int, str]] = {}
        self.settled = {"a": 0, "b": 0}
        self.recovered = {"a": 0, "b": 0}
        self.count = 0

    @rule(amount=AMOUNTS)
    def reserve(self, amount: int) -> None:
        self.count += 1
        name = f"r{self.count}"
        if amount > 100 - sum(self.settled.values()) - sum(self.open.values()) - self.lost_amount("a", "b"):
            with pytest.raises(Overdrawn):
                self.account.reserve(name, amount)
            return
        self.account.reserve(name, amount)
        self.open[name] = amount

    @precondition(lambda self: self.open)
    @rule(data=st.data(), how=st.sampled_from(["settle", "release", "write_off", "again"]), model=MODELS)
    def end_one(self, data: st.DataObject, how: str, model: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        if how == "again":
            with pytest.raises(ValueError, match="exists already"):
                self.account.reserve(name, 0)
            return
        amount = self.open.pop(name)
        if how == "settle":
            cost = data.draw(st.integers(0, amount))
            self.account.settle(name, cost, model)
            self.settled[model] += cost
        elif how == "release":
            self.account.release(name)
        else:
            self.account.write_off(name, model)
            self.lost[name] = (amount, model)

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def recover(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.lost)))
        amount, model = self.lost.pop(name)
        cost = data.draw(st.integers(0, amount))
        assert self.account.recover(name, cost, model) is True
        assert self.account.recover(name, cost, model) is False
        self.settled[model] += cost
        self.recovered[model] += amount

    @rule()
    def recovering_what_was_not_lost_changes_nothing(self) -> None:
        before = self.account.model_dump()
        assert self.account.recover("nobody", 5, "a") is False
        assert self.account.model_dump() == before

    @invariant()
    def the_cap_holds_and_the_books_are_right(self) -> None:
        account = self.account
        assert account.cap >= account.settled + account.written_off + sum(account.reserved.values())
        assert account.reserved == self.open
        assert account.lost == {name: amount for name, (amount, _) in self.lost.items()}
        for model in "ab":
            assert account.spent.get(model, Spend()) == Spend(
                settled=self.settled[model],
                written_off=self.lost_amount(model),
                recovered=self.recovered[model],
            )
        assert account.available == account.cap - account.committed

    def lost_amount(self, *models: str) -> int:
        return sum(amount for amount, model in self.lost.values() if model in models)


class LeasesMachine(RuleBasedStateMachine):
    """A job and its chunks, whose reports and grants may be repeated, and whose chunks may vanish."""

    def __init__(self) -> None:
        super().__init__()
        self.leases = Leases[int](cap=1000)
        self.chunks: dict[int, Account] = {}
        self.granted: dict[int, int] = {}
        self.returned: dict[int, int] = {}
        self.spent = Spend()
        """By those that are closed or have vanished."""
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
    @rule(
        data=st.data(),
        amount=st.integers(0, 300),
        how=st.sampled_from(["settle", "write_off", "keep"]),
        model=MODELS,
    )
    def work(self, data: st.DataObject, amount: int, how: str, model: str) -> None:
        chunk = self._one(data)
        account = self.chunks[chunk]
        self.count += 1
        try:
            account.reserve(f"r{self.count}", amount)
        except Overdrawn:
            return
        if how == "settle":
            account.settle(f"r{self.count}", data.draw(st.integers(0, amount)), model)
        elif how == "write_off":
            account.write_off(f"r{self.count}", model)

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
        self.spent = self.spent.plus(total(account.spent))
        del self.chunks[chunk]

    @precondition(lambda self: self.chunks)
    @rule(data=st.data())
    def vanish(self, data: st.DataObject) -> None:
        chunk = self._one(data)
        known = self.leases.open[chunk]
        settled = known.spend.settled
        self.leases.write_off(chunk)
        self.spent = self.spent.plus(Spend(settled=settled, written_off=known.held - settled))
        del self.chunks[chunk]

    @invariant()
    def the_cap_covers_all_that_chunks_can_spend(self) -> None:
        promised = sum(account.cap for account in self.chunks.values())
        assert self.leases.cap >= self.spent.total + promised
        assert all(account.committed <= account.cap for account in self.chunks.values())

    @invariant()
    def no_money_is_made_or_lost(self) -> None:
        held = sum(lease.held for lease in self.leases.open.values())
        assert self.leases.free + held + self.spent.total == self.leases.cap
        assert self.leases.committed == held + self.spent.total
        assert total(self.leases.closed) == self.spent
        told = [lease.spent for lease in self.leases.open.values()]
        assert self.leases.spent == merged([self.leases.closed, *told])

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
        self.leases.open[chunk].tell(
            granted=self.granted[chunk],
            returned=self.returned[chunk],
            spent=dict(account.spent),
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
    account.write_off("a", "m")

    with pytest.raises(ValueError, match="exists already"):
        account.reserve("a", 1)


def test_drift_is_charged_all_the_same() -> None:
    account = Account(cap=10)
    account.reserve("a", 8)
    account.settle("a", 15, "m")

    assert (account.settled, account.available) == (15, 0)
    assert Lease(granted=8, spent={"m": Spend(settled=15)}).held == 15


def test_a_bill_of_no_reservation_is_charged() -> None:
    account = Account(cap=10)
    account.charge(4, "m")

    assert account.spent == {"m": Spend(settled=4)}
    assert account.available == 6


def test_a_recovered_write_off_is_the_one_that_is_named() -> None:
    account = Account(cap=10)
    for name, model in (("a", "m"), ("b", "n")):
        account.reserve(name, 5)
        account.write_off(name, model)

    assert account.recover("b", 2, "n")
    assert account.lost == {"a": 5}
    assert account.spent == {"m": Spend(written_off=5), "n": Spend(settled=2, recovered=5)}


def test_a_lease_remembers_grants_that_its_holder_tells_of_and_its_own() -> None:
    lease = Lease(granted=5)
    lease.tell(granted=9, returned=1, spent={"m": Spend(settled=2)})
    assert (lease.granted, lease.unspent, lease.held) == (9, 6, 8)

    lease.tell(granted=4, returned=1, spent={"m": Spend(settled=2)})
    assert lease.granted == 9


def test_leases_give_what_is_free_and_answer_with_the_running_total() -> None:
    leases = Leases[int](cap=10)

    assert leases.grant(1, 6) == 6
    assert leases.grant(2, 6) == 4
    assert leases.grant(1, 6) == 6
    assert leases.free == 0


def test_a_lowered_cap_leases_nothing_and_takes_nothing() -> None:
    leases = Leases[int](cap=10)
    leases.grant(1, 6)
    leases.cap = 4

    assert (leases.free, leases.committed) == (0, 6)
    assert leases.grant(2, 1) == 0


def test_closing_frees_what_was_not_spent() -> None:
    leases = Leases[int](cap=10)
    leases.grant(1, 8)
    leases.open[1].tell(granted=8, returned=1, spent={"m": Spend(settled=2, written_off=1)})
    leases.close(1)

    assert leases.closed == leases.spent == {"m": Spend(settled=2, written_off=1)}
    assert leases.free == 7


def test_a_vanished_holder_costs_all_that_it_did_not_return() -> None:
    leases = Leases[int](cap=10)
    leases.grant(1, 8)
    leases.open[1].tell(granted=8, returned=1, spent={"m": Spend(settled=2)})
    leases.write_off(1)

    assert leases.closed == {"m": Spend(settled=2), UNKNOWN_MODEL: Spend(written_off=5)}
    assert leases.free == 3


def test_a_holder_that_vanished_with_nothing_left_leaves_no_line() -> None:
    leases = Leases[int](cap=10)
    leases.grant(1, 2)
    leases.open[1].tell(granted=2, returned=0, spent={"m": Spend(settled=2)})
    leases.write_off(1)

    assert leases.closed == {"m": Spend(settled=2)}


def test_spending_is_added_up_by_model() -> None:
    one, other = {"a": Spend(settled=1)}, {"a": Spend(written_off=2), "b": Spend(settled=4)}

    assert merged([one, other]) == {"a": Spend(settled=1, written_off=2), "b": Spend(settled=4)}
    assert total(merged([one, other])) == total(one).plus(total(other)) == Spend(settled=5, written_off=2)


def test_the_later_of_two_totals_is_the_larger_one() -> None:
    early = Spend(settled=3, written_off=9)
    late = Spend(settled=5, written_off=6, recovered=7)

    assert early.joined(late) == late.joined(early) == late
