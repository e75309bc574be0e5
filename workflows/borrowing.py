"""A job's own lease from one account: its tenant's, or that of the schedule whose run it is.

Both sides tell each other running totals. What a job can spend is the least that any account leases it.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import TemporalError

from imagemill.domain.messages import (
    ASK,
    OPEN_ACCOUNT,
    JobProgress,
    Nothing,
    OpenAccountTask,
    Purse,
    Workplace,
)
from imagemill.domain.tenant import AccountAsk, AccountGrant
from workflows import policies


class Borrower:
    """Asks one account for money; its whole memory is a purse of the job's progress."""

    def __init__(
        self,
        place: Workplace,
        progress: JobProgress,
        purse: Purse,
        *,
        account: str,
        schedule: str | None = None,
    ) -> None:
        self.schedule = schedule
        self.purse = purse
        self._place = place
        self._progress = progress
        self._account = account
        self._holder = f"{place.job}/{workflow.info().first_execution_run_id[:8]}"

    @property
    def leased(self) -> int:
        """What it has of the account, spent or not."""
        return self.purse.granted - self.purse.returned

    @property
    def free(self) -> int:
        """What of it is neither spent nor leased to chunks."""
        return self.leased - self._progress.leases.committed

    @property
    def answer_is_short(self) -> bool:
        """Has the account answered the last ask, and named a window that leaves too little?"""
        purse = self.purse
        return bool(purse.told and purse.answered >= purse.told.sequence and purse.short)

    def granted(self, grant: AccountGrant) -> None:
        """The account has answered."""
        purse = self.purse
        purse.granted = max(purse.granted, grant.granted)
        purse.returned = max(purse.returned, grant.returned)
        if grant.answered >= purse.answered:
            purse.answered = grant.answered
            purse.short, purse.left, purse.until = grant.short, grant.left, grant.until

    async def ask_first(self, amount: int) -> None:
        """Ask for so much while the job is being planned."""
        if amount and not self.purse.told:
            await self._send(self._ask(wanted=min(amount, self._progress.summary.cap_nano), smallest=0))

    async def talk(self, needs: int, smallest: int, *, keeps_ahead: bool) -> None:
        """Return what is not needed, and ask for what is.

        ``smallest`` is the least that would let an item start, where this account is what it waits for;
        ``keeps_ahead``: more will be needed than is now.
        """
        if self.purse.give_back:
            return
        if smallest or not keeps_ahead:
            self.give_back(0 if smallest else needs)
        ask = self._ask(wanted=self._wanted(needs), smallest=smallest)
        if self._is_news(ask):
            await self._send(ask)

    async def settle_up(self) -> None:
        """The job has ended: tell the account what it spent, and return the rest."""
        if self.purse.told:
            ask = self._ask(wanted=self.purse.granted, smallest=0)
            await self._send(ask.model_copy(update={"done": True}))

    def give_back(self, kept: int) -> None:
        """What is free is free for others, but for so much."""
        self.purse.returned += max(0, self.free - kept)

    def _is_news(self, ask: AccountAsk) -> bool:
        """Does it say what the account acts on, and has not heard?"""
        told, wants = self.purse.told, ask.wanted > ask.granted
        if told is None:
            return wants
        if ask.returned != told.returned:
            return True
        times = self._place.times
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
        told_at = self.purse.told_at
        return told_at is not None and workflow.now() - told_at >= timedelta(seconds=seconds)

    def _wanted(self, needs: int) -> int:
        """What to have been granted in all: twice what is needed now, as far as the own cap goes.

        So the next window is paid for before it is asked for; a job of one window has no next one.
        """
        purse, leases = self.purse, self._progress.leases
        room = max(0, self._progress.summary.cap_nano - leases.committed)
        if min(needs, room) <= self.free:
            return purse.granted
        ahead = 2 if (self._progress.summary.items or 0) > self._place.window else 1
        return max(purse.granted, purse.returned + leases.committed + min(room, ahead * needs))

    def _ask(self, *, wanted: int, smallest: int) -> AccountAsk:
        purse = self.purse
        before = purse.told.sequence if purse.told else 0
        return AccountAsk(
            holder=self._holder,
            # By the clock, so that a job that an operator has reset is heard again.
            sequence=max(before + 1, int(workflow.time() * 1000)),
            granted=purse.granted,
            returned=purse.returned,
            spent=self._progress.leases.spent,
            wanted=wanted,
            smallest=smallest,
        )

    async def _send(self, ask: AccountAsk) -> None:
        self.purse.told, self.purse.told_at = ask, workflow.now()
        try:
            await workflow.get_external_workflow_handle(self._account).signal(ASK, ask)
        except TemporalError:
            # It does not run, or not yet.
            await workflow.execute_activity(
                OPEN_ACCOUNT,
                OpenAccountTask(tenant=self._place.tenant, schedule=self.schedule, ask=ask),
                result_type=Nothing,
                **policies.bookkeeping(self._place),
            )
