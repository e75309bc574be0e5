"""The tenant's account: each of its rules, and all three levels of money together against the bills."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from imagemill.domain.budget import UNCAPPED, UNKNOWN_MODEL, Overdrawn, Spend, Spending, merged, total
from imagemill.domain.tenant import AccountAsk, AccountGrant, Caps, TenantAccount, TenantLease
from tests.unit.domain.money_machine import WINDOWS, Bills, Call, Chunk, Job, Tenant, Word, continued

FIRST = date(2026, 11, 28)
AMOUNTS = st.integers(1, 30)
CAPS = st.integers(0, 200)
WINDOW_CAPS = st.builds(
    Caps, day_nano=st.integers(0, 200) | st.none(), month_nano=st.integers(0, 300) | st.none()
)
ORDERS = st.lists(
    st.tuples(
        AMOUNTS,
        st.sampled_from("ab"),
        st.sampled_from(["lose the bill", "settle", "lose", "wait", "release"]),
    ),
    min_size=1,
    max_size=4,
)
JOBS, CHUNKS = 5, 3

Order = tuple[int, str, str]
Mail = tuple[list[Word], Callable[[Word], None]]


class MoneyMachine(RuleBasedStateMachine):
    """Everybody acts when it likes; every message may be late, come again, or be overtaken."""

    def __init__(self) -> None:
        super().__init__()
        self.bills = Bills(FIRST)
        self.jobs: dict[str, Job] = {}
        self.names = 0
        self.too_late: set[str] = set()
        self.turned_at = self.continued_at = 0

    @initialize()
    def begin(self) -> None:
        """Most of the day is leased, so that it matters what anybody does."""
        self.tenant = Tenant(Caps(day_nano=100, month_nano=250), FIRST)
        for cap in (60, 30):
            self.open_job_with(cap, cap).open_chunk(0, cap - 10)

    # --- who there is -------------------------------------------------------------------------

    @property
    def running(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.runs]

    @property
    def vanished(self) -> list[Job]:
        """Crashed, and nothing of theirs is under way."""
        leases = self.tenant.account.leases
        crashed = [job for job in self.jobs.values() if job.state == "crashed" and job.holder in leases]
        return [job for job in crashed if not job.working]

    @property
    def working(self) -> list[Chunk]:
        return [chunk for job in self.jobs.values() for chunk in job.working]

    @property
    def with_money(self) -> list[Chunk]:
        return [chunk for chunk in self.working if chunk.state.account.available]

    @property
    def leasing(self) -> list[tuple[Job, Chunk]]:
        return [(job, chunk) for job in self.running for chunk in job.working]

    @property
    def abandoned(self) -> list[tuple[Job, Chunk]]:
        return [(job, chunk) for job in self.running for chunk in job.abandoned]

    @property
    def in_flight(self) -> list[tuple[Chunk, Call]]:
        return [(chunk, call) for chunk in self.working for call in chunk.running.values()]

    @property
    def recoverable(self) -> list[tuple[Chunk, Call]]:
        return [(chunk, call) for chunk in self.working for call in chunk.lost.values() if call.stored]

    @property
    def billable(self) -> list[Call]:
        """Requests that the provider may yet bill, whatever became of the sender."""
        chunks = [chunk for job in self.jobs.values() for chunk in job.chunks]
        sent = [call for chunk in chunks for call in (*chunk.running.values(), *chunk.lost.values())]
        return [call for call in sent if call.cost is None and call.name not in self.too_late]

    @property
    def mail(self) -> list[Mail]:
        mail: list[Mail] = [(self.tenant.inbox, self.tell_tenant)]
        mail += [(job.inbox, job.hear) for job in self.running]
        mail += [(chunk.inbox, chunk.hear) for chunk in self.working]
        return [(inbox, hear) for inbox, hear in mail if inbox]

    # --- jobs and chunks ----------------------------------------------------------------------

    @precondition(lambda self: len(self.jobs) < JOBS)
    @rule(cap=CAPS, wanted=CAPS)
    def open_job(self, cap: int, wanted: int) -> None:
        self.open_job_with(cap, wanted)

    def open_job_with(self, cap: int, wanted: int) -> Job:
        job = Job(f"job_{len(self.jobs)}", cap)
        self.jobs[job.name] = job
        self.exchange(job, wanted)
        return job

    @precondition(lambda self: any(len(job.progress.lives) < CHUNKS for job in self.running))
    @rule(data=st.data(), amount=AMOUNTS)
    def open_chunk(self, data: st.DataObject, amount: int) -> None:
        job = data.draw(st.sampled_from([job for job in self.running if len(job.progress.lives) < CHUNKS]))
        job.open_chunk(len({chunk.number for chunk in job.chunks}), amount)

    @precondition(lambda self: self.leasing)
    @rule(data=st.data(), amount=AMOUNTS)
    def top_up(self, data: st.DataObject, amount: int) -> None:
        job, chunk = data.draw(st.sampled_from(self.leasing))
        job.top_up(chunk, amount)

    @precondition(lambda self: self.working)
    @rule(data=st.data(), how=st.sampled_from(["finish", "return and finish", "crash"]))
    def end_chunk(self, data: st.DataObject, how: str) -> None:
        chunk = data.draw(st.sampled_from(self.working))
        if how == "crash":
            chunk.dead = True
            return
        if how == "return and finish":
            chunk.give_back()
        self.jobs[chunk.job].inbox.append(chunk.finish())

    @precondition(lambda self: self.abandoned)
    @rule(data=st.data())
    def write_off_chunk(self, data: st.DataObject) -> None:
        job, chunk = data.draw(st.sampled_from(self.abandoned))
        job.write_off(chunk)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["cancel", "crash", "go on"]))
    def end_job(self, data: st.DataObject, how: str) -> None:
        job = data.draw(st.sampled_from(self.running))
        if how == "crash":
            job.state = "crashed"
        elif how == "cancel":
            self.cancel(job)
        if job.runs and not job.progress.lives:
            self.tenant.inbox.append(job.ask(0, done=True))
            job.state = "told"

    def cancel(self, job: Job) -> None:
        for chunk in job.working:
            chunk.give_back()
            job.hear(chunk.finish())
        job.give_back(0)

    @precondition(lambda self: self.vanished)
    @rule(data=st.data())
    def close_vanished_job(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.vanished))
        lease = self.tenant.account.leases[job.holder]
        exact, records, before = job.left_all_results, job.records, self.counted(lease)
        self.tenant.account.close(job.holder, records, exact=exact)
        job.counted += self.counted(lease) - before
        job.state = "ended"
        assert job.counted == (total(records).total if exact else lease.granted - lease.returned)

    # --- calls --------------------------------------------------------------------------------

    @precondition(lambda self: self.working)
    @rule(data=st.data(), orders=ORDERS)
    def call(self, data: st.DataObject, orders: list[Order]) -> None:
        for amount, model, then in orders:
            chunk = data.draw(st.sampled_from(self.with_money or self.working))
            call = self.reserve(chunk, amount, model)
            if call:
                self.go_on(chunk, call, then, data)

    def go_on(self, chunk: Chunk, call: Call, then: str, data: st.DataObject) -> None:
        if then in ("settle", "lose the bill"):
            self.bill(call, data)
        if then in ("settle", "release"):
            chunk.learn(call)
        elif then != "wait":
            chunk.give_up(call)

    def reserve(self, chunk: Chunk, amount: int, model: str) -> Call | None:
        self.names += 1
        available = chunk.state.account.available
        try:
            call = chunk.reserve(f"r{self.names}", amount, model)
        except Overdrawn:
            assert amount > available
            return None
        assert amount <= available
        return call

    @precondition(lambda self: self.billable)
    @rule(data=st.data())
    def bill_one(self, data: st.DataObject) -> None:
        self.bill(data.draw(st.sampled_from(self.billable)), data)

    def bill(self, call: Call, data: st.DataObject) -> None:
        cost = data.draw(st.integers(0, call.reserved))
        self.bills.bill(call, cost, stored=data.draw(st.sampled_from([True, True, False])))

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), known=st.booleans())
    def outcome(self, data: st.DataObject, known: bool) -> None:
        """Settled if it was billed, released if it was not; or lost."""
        chunk, call = data.draw(st.sampled_from(self.in_flight))
        if known:
            chunk.learn(call)
        else:
            chunk.give_up(call)

    @precondition(lambda self: self.recoverable)
    @rule(data=st.data())
    def recover(self, data: st.DataObject) -> None:
        chunk, call = data.draw(st.sampled_from(self.recoverable))
        chunk.find(call)
        assert not chunk.state.account.recover(call.name, 0, call.model)

    # --- messages -----------------------------------------------------------------------------

    @precondition(lambda self: self.working)
    @rule(data=st.data(), gives_back=st.booleans())
    def report(self, data: st.DataObject, gives_back: bool) -> None:
        chunk = data.draw(st.sampled_from(self.working))
        if gives_back:
            chunk.give_back()
        self.jobs[chunk.job].inbox.append(chunk.report())

    @precondition(lambda self: self.running)
    @rule(data=st.data(), more=st.integers(0, 100), smallest=st.integers(0, 20))
    def ask(self, data: st.DataObject, more: int, smallest: int) -> None:
        job = data.draw(st.sampled_from(self.running))
        self.tenant.inbox.append(job.ask(more, smallest=smallest))

    @precondition(lambda self: self.mail)
    @rule(data=st.data(), again=st.booleans())
    def deliver(self, data: st.DataObject, again: bool) -> None:
        inbox, hear = data.draw(st.sampled_from(self.mail))
        index = data.draw(st.integers(0, len(inbox) - 1))
        hear(inbox[index] if again else inbox.pop(index))

    @precondition(lambda self: self.running)
    @rule(more=st.integers(0, 100))
    def talk(self, more: int) -> None:
        """Nothing is late, for once; but what was on the way still is."""
        for job in self.running:
            for chunk in job.working:
                job.hear(chunk.report())
            self.exchange(job, more)

    def exchange(self, job: Job, more: int) -> None:
        """A job asks, and is answered."""
        self.tell_tenant(job.ask(more))
        if job.inbox:
            job.hear(job.inbox[-1])

    def tell_tenant(self, word: Word) -> None:
        assert isinstance(word, AccountAsk)
        account, job = self.tenant.account, self.jobs[word.job]
        lease = account.leases.get(word.holder)
        if job.state == "ended":
            self.tell_again(word)
            return
        state, before = account.model_dump(), self.counted(lease)
        if self.tenant.hear(word, self.jobs):
            job.counted += self.counted(lease) - before
            assert job.counted == total(word.spent).total
        else:
            assert account.model_dump() == state
        if word.done:
            job.state = "ended"
        self.tenant.serve(self.jobs)

    def tell_again(self, word: AccountAsk) -> None:
        """A job whose end was found out can be reset, and speak again: nothing is counted less."""
        account = self.tenant.account
        before = self.counted(None)
        self.tenant.account.hear(word, self.tenant.now)
        if word.holder in account.leases:
            account.close(word.holder, {}, exact=True)
        assert self.counted(None) >= before

    def counted(self, lease: TenantLease | None) -> int:
        """All that counts as spent by anybody, with what this lease has on days that are not kept."""
        days = self.tenant.account.days
        gone = [spent for day, spent in lease.lost_on.items() if day not in days] if lease else []
        return total(merged([*days.values(), *gone])).total

    # --- caps and days ------------------------------------------------------------------------

    @precondition(lambda self: self.running)
    @rule(data=st.data(), cap=CAPS)
    def set_job_cap(self, data: st.DataObject, cap: int) -> None:
        job = data.draw(st.sampled_from(self.running))
        job.set_cap(cap)
        if job.progress.leases.committed > cap:
            job.recall()

    @rule(caps=WINDOW_CAPS)
    def set_caps(self, caps: Caps) -> None:
        self.tenant.set_caps(caps, self.jobs)
        self.tenant.serve(self.jobs)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), kept=AMOUNTS | st.just(0), recalls=st.booleans())
    def return_to_tenant(self, data: st.DataObject, kept: int, recalls: bool) -> None:
        job = data.draw(st.sampled_from(self.running))
        if recalls:
            job.recall()
        job.give_back(kept)

    @precondition(lambda self: self.names > self.turned_at)
    @rule(days=st.sampled_from([1, 1, 2, 32]))
    def day_turns(self, days: int) -> None:
        """A call that was written off is billed on that day, if ever."""
        today = self.bills.today + timedelta(days=days)
        self.too_late |= {call.name for job in self.jobs.values() for call in job.given_up}
        self.bills.today, self.turned_at = today, self.names
        self.tenant.turn(today)
        self.tenant.serve(self.jobs)

    @precondition(lambda self: self.names > self.continued_at)
    @rule()
    def continue_as_new(self) -> None:
        """Each state goes whole to the next run."""
        self.continued_at = self.names
        self.tenant.account = continued(self.tenant.account)
        for job in self.jobs.values():
            job.progress = continued(job.progress)
            for chunk in job.chunks:
                chunk.state = continued(chunk.state)

    # --- what always holds --------------------------------------------------------------------

    @invariant()
    def no_chunk_spends_more_than_it_holds(self) -> None:
        for chunk in (chunk for job in self.jobs.values() for chunk in job.chunks):
            state, account = chunk.state, chunk.state.account
            reserved = {name: call.reserved for name, call in chunk.running.items()}
            lost = {name: call.reserved for name, call in chunk.lost.items()}
            assert (account.reserved, account.lost) == (reserved, lost)
            assert (account.settled, account.written_off) == (chunk.settled, sum(lost.values()))
            assert account.cap == state.granted - state.returned
            assert account.available + account.committed == account.cap
            assert account.settled + account.written_off + sum(reserved.values()) <= account.cap

    @invariant()
    def jobs_lease_no_more_than_they_have(self) -> None:
        for job in self.jobs.values():
            leases, purse = job.progress.leases, job.progress.purse
            held = sum(chunk.state.account.cap for chunk in job.owed)
            assert total(leases.closed) == job.ended
            assert job.ended.total + held <= leases.committed <= purse.granted - purse.returned
            assert leases.committed <= job.allowed
            assert leases.free == max(0, leases.cap - leases.committed)

    @invariant()
    def the_account_knows_of_all_that_jobs_hold(self) -> None:
        account = self.tenant.account
        for job in self.jobs.values():
            lease, purse = account.leases.get(job.holder), job.progress.purse
            if lease:
                assert lease.granted >= purse.granted
                assert lease.returned <= purse.returned
                assert lease.held == lease.granted - lease.returned

    @invariant()
    def no_job_is_billed_above_its_cap(self) -> None:
        for job in self.jobs.values():
            assert self.bills.by_job[job.name] <= job.allowed
            assert job.state != "ended" or self.bills.by_job[job.name] <= job.counted

    @invariant()
    def no_tenant_is_billed_above_its_caps(self) -> None:
        """Not even if all that anybody can still spend is spent today."""
        leases = self.tenant.account.leases
        to_come = sum(job.can_cost(leases.get(job.holder)) for job in self.jobs.values())
        for window in WINDOWS:
            assert self.tenant.committed(window) <= self.tenant.allowed[window]
            assert self.bills.in_window(window) + to_come <= self.tenant.committed(window)


TestMoney = MoneyMachine.TestCase
TestMoney.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)


# --- each rule by itself -------------------------------------------------------------------------

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
NEXT = FIRST + timedelta(days=1)
TODAY, TOMORROW = FIRST.isoformat(), NEXT.isoformat()


def an_account(day: int | None = 100, month: int | None = None, **leased: int) -> TenantAccount:
    """An account whose jobs have these leases, in the order of their asking."""
    account = TenantAccount(tenant="t", caps=Caps(day_nano=day, month_nano=month), today=FIRST)
    for sequence, (job, amount) in enumerate(leased.items(), start=1):
        account.hear(AccountAsk(holder=job, sequence=sequence, wanted=amount), NOON)
        account.grant(job)
    return account


def tell(account: TenantAccount, sequence: int, **told: object) -> bool:
    """What job_a says."""
    ask = {"holder": "a", "sequence": sequence, "granted": 60, "wanted": 60, **told}
    return account.hear(AccountAsk.model_validate(ask), NOON)


def spent(settled: int = 0, lost: int = 0, model: str = "m", back: int = 0) -> Spending:
    return {model: Spend(settled=settled, written_off=lost, recovered=back)}


@pytest.mark.parametrize("sequence", [1, 2])
def test_what_is_no_news_changes_nothing(sequence: int) -> None:
    account = an_account(a=60)
    tell(account, 2, spent=spent(10), returned=5)
    before = account.model_copy(deep=True)

    assert not tell(account, sequence, spent=spent(30), returned=20, wanted=90, done=True)
    assert account == before


def test_news_is_the_running_total() -> None:
    account = an_account(a=60)
    assert tell(account, 2, spent=spent(10), returned=5)
    assert tell(account, 7, spent=spent(12, 3), returned=5)

    assert account.days == {TODAY: spent(12, 3)}
    assert account.leased == 60 - 5 - 15
    assert account.free == 100 - 60 + 5


def test_a_lease_that_the_account_has_forgotten_is_told_by_its_holder() -> None:
    account = an_account()

    assert tell(account, 9, spent=spent(10), returned=5)
    assert (account.leases["a"].granted, account.leased, account.free) == (60, 45, 45)


def test_grants_are_whole_where_there_is_enough_and_partial_where_it_is_worth_it() -> None:
    account = an_account(a=60, b=50)

    assert account.leases["a"].granted == 60
    assert account.leases["b"].granted == 40
    assert account.free == 0


@pytest.mark.parametrize(
    ("missing", "smallest", "granted"),
    [(160, 0, 40), (164, 0, 0), (160, 40, 40), (160, 41, 0), (164, 1, 40), (0, 1, 0)],
)
def test_a_grant_is_worth_a_quarter_of_the_wish_or_one_item(
    missing: int, smallest: int, granted: int
) -> None:
    account = an_account(a=60)
    account.hear(AccountAsk(holder="b", sequence=2, wanted=missing, smallest=smallest), NOON)

    assert account.grant("b") is (granted > 0)
    assert account.leases["b"].granted == granted


def test_nothing_is_granted_twice() -> None:
    account = an_account(a=60)

    assert not account.grant("a")
    assert account.serve() == []


def test_those_are_served_first_who_waited_longest() -> None:
    account = an_account(a=100)
    for holder, sequence in (("a_late", 9), ("b_early", 5)):
        account.hear(AccountAsk(holder=holder, sequence=sequence, wanted=60), NOON)
    assert account.serve() == []

    tell(account, 20, granted=100, returned=80, wanted=100)
    assert account.serve() == ["b_early", "a_late"]
    assert (account.leases["b_early"].granted, account.leases["a_late"].granted) == (60, 20)


def test_an_answer_says_what_was_granted_and_heard() -> None:
    account = an_account(a=60)
    tell(account, 4, returned=3)

    assert account.answer("a", NOON) == AccountGrant(granted=60, returned=3, answered=4)


@pytest.mark.parametrize(
    ("day", "month", "short", "left", "until"),
    [
        (65, None, "day", 5, datetime(2026, 11, 29, tzinfo=UTC)),
        (100, 65, "month", 5, datetime(2026, 12, 1, tzinfo=UTC)),
        (64, 66, "month", 6, datetime(2026, 12, 1, tzinfo=UTC)),
        (65, 100, "day", 5, datetime(2026, 11, 29, tzinfo=UTC)),
    ],
)
def test_an_answer_says_which_window_is_short(
    day: int, month: int | None, short: str, left: int, until: datetime
) -> None:
    account = an_account(day, month, a=60)
    account.hear(AccountAsk(holder="b", sequence=2, wanted=80, smallest=10), NOON)
    answer = account.answer("b", NOON)

    assert not account.grant("b")
    assert (answer.granted, answer.short, answer.left, answer.until) == (0, short, left, until)


def test_a_window_ends_at_the_midnight_of_the_tenants_zone() -> None:
    account = an_account(0, a=60)
    account.caps = Caps(day_nano=0, time_zone="+05:30")

    assert account.answer("a", NOON).until == datetime(2026, 11, 28, 18, 30, tzinfo=UTC)


def test_nothing_is_short_without_caps() -> None:
    account = an_account(None, a=60)

    assert account.leases["a"].granted == 60
    assert (account.free, account.over, account.caps.any) == (UNCAPPED, False, False)
    assert account.answer("a", NOON).short is None


@pytest.mark.parametrize("caps", [Caps(day_nano=59), Caps(month_nano=59), Caps(day_nano=90, month_nano=0)])
def test_a_lowered_cap_is_over_until_enough_is_returned(caps: Caps) -> None:
    account = an_account(a=60)
    tell(account, 2, spent=spent(30))
    assert not account.over

    account.caps = caps
    assert account.over
    assert account.free == 0
    tell(account, 3, spent=spent(30), returned=30)
    assert not account.over


def test_a_cap_that_is_just_kept_is_not_over() -> None:
    account = an_account(a=60)
    account.caps = Caps(day_nano=60)

    assert not account.over


def test_a_turned_day_is_free_of_what_was_spent_but_not_of_what_is_leased() -> None:
    account = an_account(a=60)
    tell(account, 2, spent=spent(20))

    assert account.turn(NEXT)
    assert account.spent_in("day") == {}
    assert (account.leased, account.free) == (40, 60)
    tell(account, 3, spent=spent(50))
    assert account.days == {TODAY: spent(20), TOMORROW: spent(30)}
    assert account.free == 60


def test_a_turned_day_does_not_turn_the_month() -> None:
    account = an_account(None, 100, a=60)
    tell(account, 2, spent=spent(20))
    account.turn(NEXT)

    assert account.spent_in("month") == spent(20)
    assert account.free == 40
    account.turn(date(2026, 12, 1))
    assert account.free == 60


@pytest.mark.parametrize("today", [FIRST, FIRST - timedelta(days=1)])
def test_no_day_turns_back(today: date) -> None:
    account = an_account(a=60)
    tell(account, 2, spent=spent(20))

    assert not account.turn(today)
    assert account.today == FIRST
    assert account.spent_in("day") == spent(20)


@pytest.mark.parametrize(("today", "kept"), [(date(2026, 12, 31), True), (date(2027, 1, 1), False)])
def test_days_are_kept_for_a_month_after_theirs(today: date, kept: bool) -> None:
    account = an_account(a=60)
    tell(account, 2, spent=spent(20))
    account.turn(today)

    assert (TODAY in account.days) is kept


def test_a_recovered_write_off_is_taken_back_on_the_day_on_which_it_was_counted() -> None:
    account = an_account(a=60)
    tell(account, 2, spent=spent(lost=20))
    account.turn(NEXT)
    tell(account, 3, spent=spent(7, back=20))

    assert total(account.days[TODAY]) == Spend()
    assert account.days[TOMORROW] == spent(7)
    assert account.leases["a"].lost_on[TODAY] == spent()


def test_a_recovered_write_off_of_a_day_that_is_not_kept_changes_no_other() -> None:
    account = an_account(a=60)
    tell(account, 2, spent=spent(lost=20))
    account.turn(date(2027, 1, 1))
    tell(account, 3, spent=spent(7))

    assert account.days == {"2027-01-01": spent(7)}


def test_a_recovered_write_off_of_the_day_before_leaves_todays_whole() -> None:
    """Which of the two it was is not told: to count too much on a day that is over does no harm."""
    account = an_account(a=60)
    tell(account, 2, spent=spent(lost=10))
    account.turn(NEXT)
    tell(account, 3, spent=spent(lost=30))
    tell(account, 4, spent=spent(3, 20))

    assert account.days[TOMORROW] == spent(3, 20)


def test_a_write_off_of_yesterday_can_still_come_back_today() -> None:
    """Its holder may spend again what it recovers, before the account hears of it."""
    account = an_account(a=60)
    tell(account, 2, spent=spent(lost=20))
    account.turn(NEXT)

    assert account.free == 100 - 60


def test_a_job_that_is_done_leaves_what_it_spent_and_no_lease() -> None:
    account = an_account(a=60)
    assert tell(account, 2, spent=spent(20), done=True)

    assert account.leases == {}
    assert account.days == {TODAY: spent(20)}
    assert account.free == 80


def test_an_unknown_job_that_is_done_and_spent_nothing_gets_no_lease() -> None:
    account = an_account()

    assert not tell(account, 2, done=True)
    assert account.leases == {}
    assert account.days == {}


def test_an_unknown_job_that_is_done_is_counted_and_gets_no_lease() -> None:
    account = an_account()
    tell(account, 2, spent=spent(20), done=True)

    assert account.leases == {}
    assert account.days == {TODAY: spent(20)}


@pytest.mark.parametrize(("sequence", "done"), [(3, True), (2, False)])
def test_what_a_job_said_is_not_counted_again_after_its_end(sequence: int, done: bool) -> None:
    account = an_account(a=60)
    tell(account, 3, spent=spent(20), done=True)
    tell(account, sequence, spent=spent(20), done=done)

    assert account.leases == {}
    assert account.days == {TODAY: spent(20)}


def test_what_a_job_said_is_not_counted_again_after_it_was_closed() -> None:
    account = an_account(a=60)
    account.close("a", spent(20), exact=True)
    tell(account, 2, spent=spent(15))
    assert account.days == {TODAY: spent(20)}

    account.close("a", {}, exact=True)
    assert account.leases == {}
    assert account.days == {TODAY: spent(20)}


def test_an_exact_close_counts_what_the_records_show_and_frees_the_rest() -> None:
    account = an_account(a=60)
    tell(account, 2, spent=spent(10))
    account.turn(NEXT)
    account.close("a", spent(25, 2), exact=True)

    assert account.leases == {}
    assert account.days == {TODAY: spent(10), TOMORROW: spent(15, 2)}


@pytest.mark.parametrize("recovered", [0, 4, 15])
@pytest.mark.parametrize("written_off", [0, 4, 15, 20])
def test_an_exact_close_counts_a_write_off_that_came_after_a_recovered_one(
    recovered: int, written_off: int
) -> None:
    """One call was lost and found again, which was told; then another one was lost, which was not."""
    account = an_account(a=60)
    tell(account, 2, spent={"m": Spend(written_off=recovered)})
    tell(account, 3, spent={"m": Spend(settled=10, recovered=recovered)})
    account.close("a", {"m": Spend(settled=12, written_off=written_off)}, exact=True)

    assert total(account.days[TODAY]) == Spend(settled=12, written_off=written_off)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({}, {}),
        (spent(10), spent(25)),
        (spent(10), spent(10)),
        (spent(10), spent(5, model="n")),
        (spent(lost=10, model=UNKNOWN_MODEL), spent(5)),
        (spent(10, 5), spent(4)),
        (spent(10), {}),
    ],
)
def test_an_inexact_close_counts_all_that_was_held_once(told: Spending, found: Spending) -> None:
    account = an_account(a=60)
    tell(account, 2, spent=told, returned=8)
    account.close("a", found, exact=False)

    assert account.leases == {}
    assert total(account.days[TODAY]).total == 60 - 8


def test_an_inexact_close_of_a_lease_that_is_used_up_writes_nothing_off() -> None:
    account = an_account(a=60)
    account.close("a", spent(60), exact=False)

    assert account.days == {TODAY: spent(60)}


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        Caps(time_zone="Mars/Olympus")
