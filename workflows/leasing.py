"""The money of a job: leases from its cap to its chunks, and its own leases from accounts.

All amounts travel as running totals, so that repeats and disorder are harmless. What happens where money
runs short is decided on *fresh* reports only: those that were told after the last grant and recall.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from temporalio import workflow

from imagemill.domain.budget import Lease
from imagemill.domain.job import Hold
from imagemill.domain.messages import (
    EXHAUST,
    GRANT,
    RECALL,
    BudgetSignal,
    ChunkReport,
    GrantSignal,
    JobProgress,
    PlannedChunk,
    RecallSignal,
    Workplace,
    account_workflow_id,
)
from imagemill.domain.tenant import AccountGrant
from imagemill.domain.trust import Trust
from workflows.borrowing import Borrower

Tell = Callable[..., Awaitable[None]]
"""Tells a chunk something: its number, the signal, its argument."""


class Leasing:
    """Shares a job's money out; its whole memory is ``progress``."""

    def __init__(
        self, place: Workplace, progress: JobProgress, tell: Tell, publish: Callable[[], None]
    ) -> None:
        self.place = place
        self.progress = progress
        self._tell = tell
        self._publish = publish
        self._exhaust_sent: set[int] = set()
        self._recall_sent: dict[int, int] = {}
        self.borrowers = _borrowers(place, progress)
        self._fit_cap()

    # --- what others tell it ------------------------------------------------------------------

    def hear(self, report: ChunkReport) -> None:
        """A chunk's running totals."""
        lease = self.progress.leases.open[report.chunk]
        lease.tell(granted=report.granted, returned=report.returned, spent=report.spent)
        raised = [self._trust(model).learn(trust) for model, trust in report.trust.items()]
        if any(raised):
            self._call_back(calls=False)  # what is leased was measured by the factor before

    def close(self, report: ChunkReport) -> None:
        """A chunk's last word."""
        self.progress.leases.close(report.chunk)
        for model, trust in report.trust.items():
            self._trust(model).drifts += trust.drifts
            self._trust(model).drift_nano += trust.drift_nano
        self._forget(report.chunk)

    def vanished(self, chunk: int) -> Lease:
        """A chunk ended without a word: all that it held counts as spent."""
        lease = self.progress.leases.open[chunk]
        self.progress.leases.write_off(chunk)
        self._forget(chunk)
        return lease

    def granted(self, grant: AccountGrant) -> None:
        """An account has answered."""
        for borrower in self.borrowers:
            if borrower.schedule == grant.schedule:
                borrower.granted(grant)
        self._fit_cap()

    def called_back(self) -> None:
        """A cap of an account was lowered: give back what no call needs, then ask for it anew."""
        for borrower in self.borrowers:
            borrower.purse.give_back = True
        self._call_back(calls=True)

    def set_budget(self, budget: BudgetSignal) -> None:
        """The job has another cap from now on."""
        summary = self.progress.summary
        summary.on_exhausted = budget.on_exhausted or summary.on_exhausted
        if budget.cap_nano is not None:
            summary.cap_nano = budget.cap_nano
            self._fit_cap()
            if self.progress.leases.committed > summary.cap_nano:
                self._call_back(calls=True)

    def _call_back(self, *, calls: bool) -> None:
        heard = all(self._recalled(chunk) for chunk in self.progress.leases.open)
        self.progress.recall_calls = calls or (self.progress.recall_calls and not heard)
        self.progress.recalls += 1

    @property
    def gives_back(self) -> bool:
        """Does what comes back from chunks go to an account, and to no other chunk?"""
        return any(borrower.purse.give_back for borrower in self.borrowers)

    # --- leases to chunks ---------------------------------------------------------------------

    def share(self, planned: PlannedChunk) -> int:
        """What a chunk's window can hold reserved, on average."""
        bought = planned.items - planned.reused
        if not bought:
            return 0
        return -(-planned.maximum_nano * min(self.place.window, bought) // bought)

    def open(self, chunk: int, planned: PlannedChunk) -> int:
        """Lease a chunk its first share, or what there is of it."""
        granted = self.progress.leases.grant(chunk, self.share(planned))
        self._show()
        return granted

    def may_start(self, planned: PlannedChunk) -> bool:
        """Models whose maximum is uncertain run in one chunk at a time until they have proven it."""
        unproven = {model for model in planned.uncertain if not self._proven(model)}
        running = (self.progress.chunks[chunk] for chunk in self.progress.leases.open)
        return not any(unproven & set(other.uncertain) for other in running)

    async def balance(self) -> None:
        """Lease what is free to those who ask; see to it that there is some; say so when there is none."""
        await self._recall()
        await self._grant()
        smallest = self._stuck()
        if smallest and self._own_cap_is_short(smallest):
            self.progress.summary.hold = await self._hold_or_skip(smallest)
            await self._talk_to_accounts(wants=False)
        elif self.progress.stopped or self.progress.cancelled or self.progress.paused:
            self.progress.summary.hold = None
            await self._talk_to_accounts(wants=False)
        else:
            await self._talk_to_accounts(smallest)
            self.progress.summary.hold = self._account_hold(smallest) if smallest else None
        self.progress.summary.committed_nano = self.progress.leases.committed

    def _show(self) -> None:
        """The status never says less than what a call may cost that is about to be made."""
        if self.progress.summary.committed_nano != self.progress.leases.committed:
            self.progress.summary.committed_nano = self.progress.leases.committed
            self._publish()

    async def _recall(self) -> None:
        number = self.progress.recalls
        for chunk in sorted(self.progress.leases.open):
            report = self.progress.reports.get(chunk)
            heard = report.recalls if report else self._recall_sent.get(chunk, 0)
            if heard < number and self._recall_sent.get(chunk) != number:
                self._recall_sent[chunk] = number
                recall = RecallSignal(number=number, calls=self.progress.recall_calls)
                await self._tell(chunk, RECALL, recall)
        if self.gives_back and all(self._recalled(c) for c in self.progress.leases.open):
            self._give_all_back()
            for borrower in self.borrowers:
                borrower.purse.give_back = False

    async def _grant(self) -> None:
        self._give_all_back()  # what comes back goes to the account, and to no other chunk
        grants: dict[int, int] = {}
        for chunk in sorted(self.progress.reports):
            report = self._fresh(chunk)
            if report and (missing := self._worth_granting(report)):
                grants[chunk] = self.progress.leases.grant(chunk, missing)
        if grants:
            self._show()
        for chunk, granted in grants.items():
            await self._tell(chunk, GRANT, GrantSignal(granted=granted, trust=self.known_trust()))

    def _recalled(self, chunk: int) -> bool:
        report = self.progress.reports.get(chunk)
        return report is not None and report.recalls >= self.progress.recalls

    def _fresh(self, chunk: int) -> ChunkReport | None:
        """What a chunk told after its last grant and recall; None while either is on the way."""
        report, lease = self.progress.reports.get(chunk), self.progress.leases.open.get(chunk)
        if not report or not lease or report.granted != lease.granted:
            return None
        return report if self._recalled(chunk) else None

    def _worth_granting(self, report: ChunkReport) -> int:
        """What a chunk is missing; 0 where what is free of it would not be worth a signal.

        Who starves has returned all that it did not spend, so that one item's worth is the least that
        helps; the others can wait until a quarter of their wish is free.
        """
        missing = report.wanted - report.granted
        least = report.smallest if report.starved else max(1, missing // 4)
        return missing if missing > 0 and self.progress.leases.free >= least else 0

    # --- when money is short ------------------------------------------------------------------

    def _stuck(self) -> int:
        """The cheapest item that waits, where no chunk can start any; 0 where one can, or may yet."""
        reports = [self._fresh(chunk) for chunk in self.progress.leases.open]
        if not reports or not all(report is not None and report.starved for report in reports):
            return 0
        smallest = min(report.smallest for report in reports if report)
        return smallest if smallest > self.progress.leases.free else 0

    def _own_cap_is_short(self, smallest: int) -> bool:
        return self.progress.summary.cap_nano - self.progress.leases.committed < smallest

    async def _hold_or_skip(self, smallest: int) -> Hold | None:
        """The job's own cap leaves too little for any item."""
        summary = self.progress.summary
        if summary.on_exhausted == "hold":
            # Above the cap as it is: it may have been lowered below what is committed.
            above = self.progress.leases.committed - summary.cap_nano
            return self._hold("budget", smallest + above, max(smallest, self._likely()) + above)
        for chunk in sorted(set(self.progress.leases.open) - self._exhaust_sent):
            self._exhaust_sent.add(chunk)
            await self._tell(chunk, EXHAUST)
        return None

    def _account_hold(self, smallest: int) -> Hold | None:
        """An account has nothing for us, as it has answered."""
        lacking = next((borrower for borrower in self.borrowers if smallest > borrower.free), None)
        if lacking is None or not lacking.answer_is_short:
            return None
        likely, left = max(smallest, self._likely()), lacking.purse.left
        code = "schedule_budget" if lacking.schedule else "tenant_budget"
        hold = self._hold(code, max(0, smallest - left), max(0, likely - left))
        hold.until = lacking.purse.until
        return hold

    def _hold(self, code: str, smallest: int, likely: int) -> Hold:
        before = self.progress.summary.hold
        since = before.since if before and before.code == code else workflow.now()
        return Hold(code=code, since=since, smallest_nano=smallest, likely_nano=likely)

    def _likely(self) -> int:
        """What it takes to buy all items that wait, as expected."""
        waiting = sum(report.pending_nano for report in self.progress.reports.values())
        return waiting + sum(chunk.expected_nano for chunk in self._unstarted())

    def _unstarted(self) -> Iterator[PlannedChunk]:
        return iter(self.progress.chunks[self.progress.next_chunk :])

    # --- the accounts -----------------------------------------------------------------

    async def ask_first(self, amount: int) -> None:
        """Ask for so much while the job is being planned."""
        await asyncio.gather(*(borrower.ask_first(amount) for borrower in self.borrowers))

    async def settle_up(self) -> None:
        """The job has ended: tell the accounts what it spent, and return the rest."""
        await asyncio.gather(*(borrower.settle_up() for borrower in self.borrowers))

    async def _talk_to_accounts(self, smallest: int = 0, *, wants: bool = True) -> None:
        """Return what is not needed, and ask for what is.

        Where one account has too little for any item, the next is not asked: what it would lease lay idle.
        """
        for borrower in self.borrowers:
            needs = self._needs() if wants else 0
            lacks = smallest if wants and smallest > borrower.free else 0
            keeps_ahead = wants and next(self._unstarted(), None) is not None
            await borrower.talk(needs, lacks, keeps_ahead=keeps_ahead)
            self._fit_cap()
            wants = wants and not lacks

    def _needs(self) -> int:
        """What chunks ask for, and what the next one would be leased."""
        reports = (self._fresh(chunk) for chunk in self.progress.leases.open)
        asked = sum(max(0, report.wanted - report.granted) for report in reports if report)
        following = next(self._unstarted(), None)
        slots = self.place.chunks_at_once - len(self.progress.leases.open)
        return asked + (self.share(following) if following and slots > 0 else 0)

    def _give_all_back(self) -> None:
        for borrower in self.borrowers:
            if borrower.purse.give_back:
                borrower.give_back(0)
        self._fit_cap()

    # --- small things -------------------------------------------------------------------------

    def known_trust(self) -> dict[str, Trust]:
        """What is known of maxima, without the drifts, which belong to those who met them."""
        shown = {"drifts": 0, "drift_nano": 0}
        return {model: trust.model_copy(update=shown) for model, trust in self.progress.trust.items()}

    def _trust(self, model: str) -> Trust:
        return self.progress.trust.setdefault(model, Trust())

    def _proven(self, model: str) -> bool:
        trust = self.progress.trust.get(model)
        return trust is not None and trust.proven

    def _fit_cap(self) -> None:
        """The smallest of the job's own cap and what each account has leased it."""
        leased = (borrower.leased for borrower in self.borrowers)
        self.progress.leases.cap = min([self.progress.summary.cap_nano, *leased])

    def _forget(self, chunk: int) -> None:
        self._exhaust_sent.discard(chunk)
        self._recall_sent.pop(chunk, None)


def _borrowers(place: Workplace, progress: JobProgress) -> list[Borrower]:
    """The accounts that must all have money; first that which serves fewer."""
    found = []
    if schedule := place.schedule:
        account = account_workflow_id(place.tenant, schedule)
        found.append(Borrower(place, progress, progress.schedule_purse, account=account, schedule=schedule))
    if place.account:
        found.append(Borrower(place, progress, progress.purse, account=place.account))
    return found
