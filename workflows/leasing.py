"""The money of a job: leases from its cap to its chunks, and its own lease from the tenant's account.

All amounts travel as running totals, so that repeats and disorder are harmless. What happens where money
runs short is decided on *fresh* reports only: those that were told after the last grant and recall.
"""

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import TemporalError

from imagemill.domain.budget import UNCAPPED, Lease
from imagemill.domain.job import Hold
from imagemill.domain.messages import (
    ASK,
    EXHAUST,
    GRANT,
    OPEN_ACCOUNT,
    RECALL,
    BudgetSignal,
    ChunkReport,
    GrantSignal,
    JobProgress,
    Nothing,
    OpenAccountTask,
    PlannedChunk,
    RecallSignal,
    Workplace,
)
from imagemill.domain.tenant import AccountAsk, AccountGrant
from imagemill.domain.trust import Trust
from workflows import policies

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
        self._holder = f"{place.job}/{workflow.info().first_execution_run_id[:8]}"
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
        """The tenant's account has answered."""
        purse = self.progress.purse
        purse.granted = max(purse.granted, grant.granted)
        purse.returned = max(purse.returned, grant.returned)
        if grant.answered >= purse.answered:
            purse.answered = grant.answered
            purse.short, purse.left, purse.until = grant.short, grant.left, grant.until
        self._fit_cap()

    def called_back(self) -> None:
        """A cap of the tenant's was lowered: give back what no call needs, then ask for it anew."""
        self.progress.purse.give_back = True
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
            await self._talk_to_account(wants=False)
        elif self.progress.stopped or self.progress.cancelled or self.progress.paused:
            self.progress.summary.hold = None
            await self._talk_to_account(wants=False)
        else:
            await self._talk_to_account(smallest)
            self.progress.summary.hold = self._tenant_hold(smallest) if smallest else None
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
        if self.progress.purse.give_back and all(self._recalled(c) for c in self.progress.leases.open):
            self.progress.purse.give_back = False
            self._give_back(0)

    async def _grant(self) -> None:
        if self.progress.purse.give_back:
            self._give_back(0)  # what comes back goes to the account, and to no other chunk
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

    def _tenant_hold(self, smallest: int) -> Hold | None:
        """The tenant's account has nothing for us, as it has answered."""
        purse = self.progress.purse
        if not purse.told or purse.answered < purse.told.sequence or purse.short is None:
            return None
        likely = max(smallest, self._likely())
        hold = self._hold("tenant_budget", max(0, smallest - purse.left), max(0, likely - purse.left))
        hold.until = purse.until
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

    # --- the tenant's account -----------------------------------------------------------------

    async def ask_first(self, amount: int) -> None:
        """Ask for so much while the job is being planned."""
        if self.place.account and amount and not self.progress.purse.told:
            await self._send(self._ask(wanted=min(amount, self.progress.summary.cap_nano), smallest=0))

    async def settle_up(self) -> None:
        """The job has ended: tell the account what it spent, and return the rest."""
        if self.place.account and self.progress.purse.told:
            ask = self._ask(wanted=self.progress.purse.granted, smallest=0)
            await self._send(ask.model_copy(update={"done": True}))

    async def _talk_to_account(self, smallest: int = 0, *, wants: bool = True) -> None:
        """Return what is not needed, and ask for what is."""
        if not self.place.account or self.progress.purse.give_back:
            return
        needs = self._needs() if wants else 0
        if smallest or not wants or next(self._unstarted(), None) is None:
            self._give_back(0 if smallest else needs)
        ask = self._ask(wanted=self._wanted(needs), smallest=smallest)
        if self._is_news(ask):
            await self._send(ask)

    def _is_news(self, ask: AccountAsk) -> bool:
        """Does it say what the account acts on, and has not heard?"""
        told, wants = self.progress.purse.told, ask.wanted > ask.granted
        if told is None:
            return wants
        if ask.returned != told.returned:
            return True
        times = self.place.times
        if ask.spent != told.spent and self._silent_for(times.sweep):
            return True
        if wants and self._silent_for(times.reconcile):
            return True  # the account may have been lost, and with it that we wait
        return wants and (ask.granted, ask.smallest, True) != (
            told.granted,
            told.smallest,
            told.wanted > told.granted,
        )

    def _silent_for(self, seconds: float) -> bool:
        """Was the account told nothing for so long?"""
        told_at = self.progress.purse.told_at
        return told_at is not None and workflow.now() - told_at >= timedelta(seconds=seconds)

    def _needs(self) -> int:
        """What chunks ask for, and what the next one would be leased."""
        reports = (self._fresh(chunk) for chunk in self.progress.leases.open)
        asked = sum(max(0, report.wanted - report.granted) for report in reports if report)
        following = next(self._unstarted(), None)
        slots = self.place.chunks_at_once - len(self.progress.leases.open)
        return asked + (self.share(following) if following and slots > 0 else 0)

    def _wanted(self, needs: int) -> int:
        """What to have been granted in all: twice what is needed now, as far as the own cap goes.

        So the next window is paid for before it is asked for; a job of one window has no next one.
        """
        purse, leases = self.progress.purse, self.progress.leases
        room = max(0, self.progress.summary.cap_nano - leases.committed)
        if min(needs, room) <= purse.granted - purse.returned - leases.committed:
            return purse.granted
        ahead = 2 if (self.progress.summary.items or 0) > self.place.window else 1
        return max(purse.granted, purse.returned + leases.committed + min(room, ahead * needs))

    def _give_back(self, kept: int) -> None:
        purse = self.progress.purse
        purse.returned += max(0, purse.granted - purse.returned - self.progress.leases.committed - kept)
        self._fit_cap()

    def _ask(self, *, wanted: int, smallest: int) -> AccountAsk:
        purse = self.progress.purse
        before = purse.told.sequence if purse.told else 0
        return AccountAsk(
            holder=self._holder,
            # By the clock, so that a job that an operator has reset is heard again.
            sequence=max(before + 1, int(workflow.time() * 1000)),
            granted=purse.granted,
            returned=purse.returned,
            spent=self.progress.leases.spent,
            wanted=wanted,
            smallest=smallest,
        )

    async def _send(self, ask: AccountAsk) -> None:
        self.progress.purse.told, self.progress.purse.told_at = ask, workflow.now()
        account = str(self.place.account)
        try:
            await workflow.get_external_workflow_handle(account).signal(ASK, ask)
        except TemporalError:
            # It does not run, or not yet.
            await workflow.execute_activity(
                OPEN_ACCOUNT,
                OpenAccountTask(tenant=self.place.tenant, ask=ask),
                result_type=Nothing,
                **policies.bookkeeping(self.place),
            )

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
        """The smaller of the job's own cap and what the tenant's account has leased it."""
        purse = self.progress.purse
        leased = purse.granted - purse.returned if self.place.account else UNCAPPED
        self.progress.leases.cap = min(self.progress.summary.cap_nano, leased)

    def _forget(self, chunk: int) -> None:
        self._exhaust_sent.discard(chunk)
        self._recall_sent.pop(chunk, None)
