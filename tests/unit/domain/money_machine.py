"""A tenant's account, its jobs and their chunks as they move money about, and beside them the truth.

The parties do with a message what `workflows/account.py`, `leasing.py` and `generation.py` do with it; what
is said, when it arrives, how often and in which order is left to whoever drives them. The bills are the
truth: they know nothing of accounts, and no party ever reads them.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Literal, TypeVar

from pydantic import BaseModel

from imagemill.domain.budget import UNCAPPED, Account, Lease, Leases, Spend, Spending, merged, total
from imagemill.domain.job import ChunkFacts, Counts, JobSummary, Progress
from imagemill.domain.messages import ChunkReport, GenerationState, GrantSignal, JobProgress, RecallSignal
from imagemill.domain.tenant import AccountAsk, AccountGrant, Caps, TenantAccount, Window
from imagemill.domain.windows import month

State = TypeVar("State", bound=BaseModel)
Word = ChunkReport | GrantSignal | RecallSignal | AccountAsk | AccountGrant | Literal["recall"]
"""Anything that one party says to another."""
WINDOWS: tuple[Window, Window] = ("day", "month")


def continued(state: State) -> State:
    """What comes of a state that is handed to the next run."""
    return type(state).model_validate_json(state.model_dump_json())


# --- the truth -----------------------------------------------------------------------------------


@dataclass
class Call:
    """One request to the provider, under a reservation of its own."""

    job: str
    name: str
    model: str
    reserved: int
    cost: int | None = None
    """What it was billed at; None: it was not, or not yet."""
    stored: bool = False
    """Are its images in the store, where whoever looks for them sees the cost?"""


@dataclass
class Bills:
    """What the provider has billed, by job, and by the day on which it did."""

    today: date
    by_job: Counter[str] = field(default_factory=Counter)
    by_day: Counter[date] = field(default_factory=Counter)

    def bill(self, call: Call, cost: int, *, stored: bool) -> None:
        """The provider does its work, whoever has given it up meanwhile."""
        assert call.cost is None
        assert cost <= call.reserved
        call.cost, call.stored = cost, stored
        self.by_job[call.job] += cost
        self.by_day[self.today] += cost

    def in_window(self, window: Window) -> int:
        """Billed in the window that is open now."""
        if window == "day":
            return self.by_day[self.today]
        return sum(cost for day, cost in self.by_day.items() if month(day) == month(self.today))


# --- a chunk -------------------------------------------------------------------------------------


class Chunk:
    """One life of a chunk: reserves, settles and writes off under what it was granted."""

    def __init__(self, job: str, number: int, life: int, granted: int, recalls: int) -> None:
        self.job, self.number, self.life = job, number, life
        self.state = GenerationState(account=Account(cap=granted), granted=granted, recalls=recalls)
        self.sequence = 0
        self.inbox: list[Word] = []
        self.calls: list[Call] = []
        """Every call that it has made."""
        self.running: dict[str, Call] = {}
        self.lost: dict[str, Call] = {}
        """Written off, and not recovered."""
        self.settled = 0
        self.dead = False
        """Ended from outside, without a word."""
        self.last_word: ChunkReport | None = None

    @property
    def works(self) -> bool:
        """May it still start calls?"""
        return not self.dead and self.last_word is None

    @property
    def used(self) -> int:
        """Spent, counted as spent, or on the bill already."""
        billed = sum(call.cost or 0 for call in self.running.values())
        return total(self.state.account.spent).total + billed

    def can_cost(self, granted: int) -> int:
        """The most that may yet be billed by its doing, if it was granted so much in all."""
        if self.works:
            return granted - self.state.returned - self.used
        return sum(call.reserved for call in self.running.values() if call.cost is None)

    def reserve(self, name: str, amount: int, model: str) -> Call:
        """Set money aside, and send the request."""
        self.state.account.reserve(name, amount)
        call = Call(self.job, name, model, amount)
        self.calls.append(call)
        self.running[name] = call
        return call

    def learn(self, call: Call) -> None:
        """The worker tells: billed at its cost, or surely not billed."""
        del self.running[call.name]
        if call.cost is None:
            self.state.account.release(call.name)
        else:
            self.state.account.settle(call.name, call.cost, call.model)
            self.settled += call.cost

    def give_up(self, call: Call) -> None:
        """Nobody can tell what came of it: count all of it."""
        self.lost[call.name] = self.running.pop(call.name)
        self.state.account.write_off(call.name, call.model)

    def find(self, call: Call) -> None:
        """The store has the record of a call that was given up."""
        del self.lost[call.name]
        assert call.cost is not None
        before = dict(self.state.account.lost)
        assert self.state.account.recover(call.name, call.cost, call.model)
        assert self.state.account.lost == {name: before[name] for name in before if name != call.name}
        self.settled += call.cost

    def hear(self, word: Word) -> None:
        """As `Generation.grant` and `Generation.recall`."""
        state = self.state
        if isinstance(word, GrantSignal) and word.granted > state.granted:
            state.granted = word.granted
            state.account.cap = word.granted - state.returned
        elif isinstance(word, RecallSignal) and word.number > state.recalls:
            state.recalls = word.number
            self.give_back()

    def give_back(self) -> None:
        """As `Generation._return_all_but(0)`."""
        state = self.state
        state.returned += state.account.available
        state.account.cap = state.granted - state.returned

    def report(self, done: ChunkFacts | None = None) -> ChunkReport:
        """As `Generation.report`."""
        self.sequence += 1
        state = self.state
        return ChunkReport(
            chunk=self.number,
            life=self.life,
            sequence=self.sequence,
            progress=Progress(),
            granted=state.granted,
            returned=state.returned,
            recalls=state.recalls,
            spent=continued(state.account).spent,
            done=done,
        )

    def finish(self) -> ChunkReport:
        """Hear of every call, leave the results, and say a last word."""
        for call in list(self.running.values()):
            self.learn(call)
        account = self.state.account
        self.last_word = self.report(
            ChunkFacts(
                chunk=self.number,
                items=0,
                results_sha256="",
                counts=Counts(),
                settled_nano=account.settled,
                written_off_nano=account.written_off,
            )
        )
        return self.last_word

    @property
    def records(self) -> Spending:
        """What it has left in the store: its results, or mere images."""
        if self.last_word:
            return self.last_word.spent
        return merged({call.model: Spend(settled=call.cost or 0)} for call in self.calls if call.stored)


# --- a job ---------------------------------------------------------------------------------------


class Job:
    """Leases chunks what it has of its tenant's account, as far as its own cap goes."""

    def __init__(self, name: str, cap: int) -> None:
        self.name, self.holder = name, f"{name}/1a2b3c4d"
        summary = JobSummary(tenant="t", submitted_at=datetime(2026, 1, 1, tzinfo=UTC), cap_nano=cap)
        self.progress = JobProgress(summary=summary, leases=Leases(cap=0))
        self.inbox: list[Word] = []
        self.chunks: list[Chunk] = []
        """All lives of all chunks, in the order of their starts."""
        self.ended = Spend()
        """What the chunks that it has closed had spent, and what it wrote off with the others."""
        self.state: Literal["runs", "crashed", "told", "ended"] = "runs"
        self.allowed = cap
        """The cap in force: never below what was committed when it was set."""
        self.counted = 0
        """What the tenant's account has counted as spent by it."""

    @property
    def runs(self) -> bool:
        """Is it there to hear and to lease?"""
        return self.state == "runs"

    @property
    def working(self) -> list[Chunk]:
        """Chunks that may start calls, whether or not the job is still there."""
        return [chunk for chunk in self.chunks if chunk.works]

    @property
    def abandoned(self) -> list[Chunk]:
        """Chunks that died, and that the job has not written off."""
        return [chunk for chunk in self.chunks if chunk.dead and self.owes(chunk)]

    def set_cap(self, cap: int) -> None:
        """As `Leasing.set_budget`."""
        self.progress.summary.cap_nano = cap
        self.fit_cap()
        self.allowed = max(cap, self.progress.leases.committed)

    def fit_cap(self) -> None:
        """As `Leasing._fit_cap`."""
        purse = self.progress.purse
        self.progress.leases.cap = min(self.progress.summary.cap_nano, purse.granted - purse.returned)

    def open_chunk(self, number: int, amount: int, life: int = 0) -> Chunk:
        """As `JobWorkflow._start_chunk`."""
        granted = self.progress.leases.grant(number, amount)
        self.progress.lives[number] = life
        chunk = Chunk(self.name, number, life, granted, self.progress.recalls)
        self.chunks.append(chunk)
        return chunk

    def top_up(self, chunk: Chunk, amount: int) -> None:
        """As `Leasing._grant`: never more than is free."""
        free, before = self.progress.leases.free, self.progress.leases.open[chunk.number].granted
        granted = self.progress.leases.grant(chunk.number, amount)
        assert granted == before + min(amount, free)
        chunk.inbox.append(GrantSignal(granted=granted))

    def recall(self) -> None:
        """As `Leasing._recall`."""
        self.progress.recalls += 1
        for chunk in self.working:
            if chunk.number in self.progress.leases.open:
                chunk.inbox.append(RecallSignal(number=self.progress.recalls))

    def hear(self, word: Word) -> None:
        """Whatever anybody says to a job."""
        if isinstance(word, ChunkReport):
            self._take_in(word)
        elif isinstance(word, AccountGrant):
            self._granted(word)
        elif word == "recall":
            self.recall()
            self.give_back(0)

    def _take_in(self, report: ChunkReport) -> None:
        """As `JobWorkflow._take_in`."""
        progress, known = self.progress, self.progress.reports.get(report.chunk)
        if progress.lives.get(report.chunk) != report.life:
            return
        if known and known.sequence >= report.sequence:
            return
        progress.reports[report.chunk] = report
        progress.leases.open[report.chunk].tell(
            granted=report.granted, returned=report.returned, spent=report.spent
        )
        if report.done:
            progress.leases.close(report.chunk)
            self.ended = self.ended.plus(total(report.spent))
            self._forget(report.chunk)

    def write_off(self, chunk: Chunk) -> Chunk:
        """As `JobWorkflow._revive`: all that it held counts, and its next life begins."""
        lease = self.progress.leases.open[chunk.number]
        known = lease.spend
        rest = lease.granted - lease.returned - known.total
        self.progress.leases.write_off(chunk.number)
        self.ended = self.ended.plus(known).plus(Spend(written_off=rest))
        self._forget(chunk.number)
        return self.open_chunk(chunk.number, 0, chunk.life + 1)

    def _forget(self, number: int) -> None:
        del self.progress.lives[number]
        self.progress.reports.pop(number, None)

    def _granted(self, grant: AccountGrant) -> None:
        """As `Leasing.granted`."""
        purse = self.progress.purse
        purse.granted = max(purse.granted, grant.granted)
        purse.returned = max(purse.returned, grant.returned)
        if grant.answered >= purse.answered:
            purse.answered, purse.short = grant.answered, grant.short
        self.fit_cap()

    def give_back(self, kept: int) -> None:
        """As `Leasing._give_back`."""
        purse = self.progress.purse
        purse.returned += max(0, purse.granted - purse.returned - self.progress.leases.committed - kept)
        self.fit_cap()

    def ask(self, more: int, *, smallest: int = 0, done: bool = False) -> AccountAsk:
        """As `Leasing._ask`."""
        purse = self.progress.purse
        purse.told = AccountAsk(
            holder=self.holder,
            sequence=purse.told.sequence + 1 if purse.told else 1,
            granted=purse.granted,
            returned=purse.returned,
            spent=continued(self.progress.leases).spent,
            wanted=purse.granted + more,
            smallest=smallest,
            done=done,
        )
        return purse.told

    @property
    def owed(self) -> list[Chunk]:
        """The lives of chunks that it answers for."""
        return [chunk for chunk in self.chunks if self.owes(chunk)]

    def can_cost(self, lease: Lease | None) -> int:
        """The most that may yet be billed by its doing, under this lease of the tenant's account."""
        if self.runs:
            used = self.ended.total + sum(chunk.used for chunk in self.owed)
            return lease.granted - lease.returned - used if lease else 0
        leases = self.progress.leases.open
        return sum(chunk.can_cost(leases[chunk.number].granted) for chunk in self.owed)

    def owes(self, chunk: Chunk) -> bool:
        """Does it still answer for what this life of a chunk holds?"""
        return self.state != "ended" and self.progress.lives.get(chunk.number) == chunk.life

    @property
    def given_up(self) -> list[Call]:
        """Calls that somebody has counted as spent, or has found to be over."""
        over = [chunk for chunk in self.chunks if not self.owes(chunk)]
        counted = [call for chunk in over for call in chunk.running.values()]
        return counted + [call for chunk in self.chunks for call in chunk.lost.values()]

    @property
    def left_all_results(self) -> bool:
        """Has every life of every chunk ended with its results?"""
        return all(chunk.last_word for chunk in self.chunks)

    @property
    def records(self) -> Spending:
        """What all chunks have left in the store."""
        return merged(chunk.records for chunk in self.chunks)


# --- the tenant ----------------------------------------------------------------------------------


class Tenant:
    """The account, and what reaches it."""

    def __init__(self, caps: Caps, today: date) -> None:
        self.account = TenantAccount(tenant="t", caps=caps, today=today)
        self.inbox: list[Word] = []
        self.allowed: dict[Window, int] = {}
        """The caps in force: never below what was committed when they were set, or when the window turned."""
        self.allow(*WINDOWS)

    @property
    def now(self) -> datetime:
        """Some moment of today."""
        return datetime.combine(self.account.today, time(12), UTC)

    def committed(self, window: Window) -> int:
        """What takes of the window's cap."""
        return self.account.committed_in(window)

    def allow(self, *windows: Window) -> None:
        """Note the caps in force from now on."""
        for window in windows:
            cap = self.account.cap(window)
            self.allowed[window] = UNCAPPED if cap is None else max(cap, self.committed(window))

    def hear(self, ask: AccountAsk, jobs: dict[str, Job]) -> bool:
        """As `AccountWorkflow._take_in`: hear, and answer."""
        heard = self.account.hear(ask, self.now)
        lease = self.account.leases.get(ask.holder)
        if lease and (ask.wanted > ask.granted or lease.granted > ask.granted):
            self.answer(jobs[ask.job])
        return heard

    def serve(self, jobs: dict[str, Job]) -> None:
        """As `AccountWorkflow._lease`: lease to those who wait, and tell them."""
        for holder in self.account.serve():
            self.answer(jobs[holder.partition("/")[0]])

    def answer(self, job: Job) -> None:
        """Tell a job what it has."""
        job.inbox.append(self.account.answer(job.holder, self.now))

    def set_caps(self, caps: Caps, jobs: dict[str, Job]) -> None:
        """As `AccountWorkflow._take_caps`."""
        self.account.caps = caps
        self.allow(*WINDOWS)
        if self.account.over:
            for holder, lease in self.account.leases.items():
                if lease.unspent:
                    jobs[holder.partition("/")[0]].inbox.append("recall")

    def turn(self, today: date) -> None:
        """As `AccountWorkflow._turn`."""
        before = month(self.account.today)
        assert self.account.turn(today)
        self.allow("day")
        if month(today) != before:
            self.allow("month")
