"""imagemill.account: the caps of a tenant by day and month, or of a schedule, leased to all its jobs.

1. where the engine has forgotten it, restore what was saved;
2. answer each ask at once, possibly with nothing, and remember who waits;
3. when a window turns, a cap changes or money comes back, lease to those who wait;
4. now and then save, look for holders that have vanished, and continue as new.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError, TemporalError

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.messages import (
        ACCOUNT,
        ACCOUNT_GRANT,
        ACCOUNT_RECALL,
        ASK,
        CAPS_MEMO,
        CLOSE,
        RECONCILE,
        RESTORE_ACCOUNT,
        SAVE_ACCOUNT,
        SET_CAPS,
        SWEEP,
        USAGE,
        AccountStart,
        AccountTask,
        Nothing,
        Reconciled,
        ReconcileTask,
        Restored,
        SaveTask,
    )
    from imagemill.domain.tenant import AccountAsk, AccountGrant, Caps, TenantAccount, job_of
    from imagemill.domain.windows import day_of, end_of_day
    from workflows import policies


SIGNALS_AT_ONCE = 100


@workflow.defn(name=ACCOUNT)
class AccountWorkflow:
    """One a tenant, and one a schedule; it ends by itself only if the tenant was removed."""

    @workflow.init
    def __init__(self, start: AccountStart) -> None:
        self.start = start
        self.account = start.resume or TenantAccount(
            tenant=start.tenant,
            schedule=start.schedule,
            caps=start.caps,
            today=day_of(workflow.now(), start.caps.time_zone),
        )
        self._open = start.resume is not None
        self._asks: list[AccountAsk] = []
        self._caps: list[Caps] = []
        self._heard = 0
        self._changed = start.resume is not None
        self._wake = False
        self._closing = False
        self._sweep_due = start.resume is not None and start.swept_at is None
        self._saving: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._turned_at: datetime | None = workflow.now() if start.resume else None
        self._saved_at = workflow.now()
        self._swept_at = start.swept_at or workflow.now()

    @workflow.run
    async def run(self, start: AccountStart) -> None:
        """Lease, for as long as the tenant exists."""
        if not self._open:
            await self._restore()
        workflow.upsert_memo({CAPS_MEMO: self.account.caps})
        while not self._is_long() or self._keeping_house:
            await self._woken()
            await self._take_caps()
            await self._lease()
            if self._may_close:
                return
            if not self._is_long():
                self._keep_house()
        await self._continue_as_new()

    # --- from outside -------------------------------------------------------------------------

    @workflow.signal(name=ASK)
    def ask(self, ask: AccountAsk) -> None:
        """A job tells its running totals, and what it wants."""
        self._asks.append(ask)
        self._wake = True

    @workflow.signal(name=SET_CAPS)
    def set_caps(self, caps: Caps) -> None:
        """Other caps from now on."""
        self._caps.append(caps)
        self._wake = True

    @workflow.signal(name=SWEEP)
    def sweep(self) -> None:
        """Look for vanished holders now."""
        self._sweep_due = self._wake = True

    @workflow.signal(name=CLOSE)
    def close(self) -> None:
        """The tenant was removed: end as soon as no job has a lease. Whoever asks opens it again."""
        self._closing = self._wake = True

    @workflow.query(name=USAGE)
    def usage(self) -> TenantAccount:
        """The whole state, once it is known."""
        if not self._open:
            raise ApplicationError("the account is being restored")
        return self.account

    # --- steps --------------------------------------------------------------------------------

    async def _restore(self) -> None:
        """Where an account of this tenant was saved, the engine has lost it: go on from there."""
        restored = await workflow.execute_activity(
            RESTORE_ACCOUNT,
            AccountTask(tenant=self.start.tenant, schedule=self.start.schedule),
            result_type=Restored,
            **policies.account_bookkeeping(self.start.times),
        )
        if restored.account:
            self.account = restored.account
            self.account.caps = self.start.caps
        self._open = True

    async def _woken(self) -> None:
        """Wait for news, or for the next thing that is due by the clock."""
        patience = max(timedelta(0), self._next_due() - workflow.now())
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._wake, timeout=patience)
        self._wake = False

    def _next_due(self) -> datetime:
        times = self.start.times
        due = [end_of_day(workflow.now(), self.account.caps.time_zone)]
        if self._turned_at:
            due.append(self._turned_at + self._settle_time)
        if self._is_long():
            return min(due)  # only what goes on is waited for, and it wakes us
        if not _goes_on(self._sweeping):
            due.append(self._swept_at + timedelta(seconds=times.reconcile))
        if self._changed and not _goes_on(self._saving):
            due.append(self._saved_at + timedelta(seconds=times.account_save))
        return min(due)

    @property
    def _keeping_house(self) -> bool:
        return _goes_on(self._saving) or _goes_on(self._sweeping)

    @property
    def _may_close(self) -> bool:
        """Is all told, and all saved?"""
        waits = self.account.leases or self._asks or self._caps or self._changed
        return self._closing and not waits and not self._keeping_house

    def _turn(self) -> None:
        if self.account.turn(day_of(workflow.now(), self.account.caps.time_zone)):
            self._changed, self._turned_at = True, workflow.now()
        if self._turned_at and workflow.now() - self._turned_at >= self._settle_time:
            self._turned_at = None
            self.account.let_go()

    @property
    def _settle_time(self) -> timedelta:
        """After it, no call of the day before can turn up any more."""
        times = self.start.times
        return timedelta(seconds=2 * times.call_deadline + times.heartbeat_timeout)

    async def _take_caps(self) -> None:
        if not self._caps:
            return
        caps, self._caps = self._caps[-1], []
        if caps == self.account.caps:
            return
        self.account.caps = caps
        workflow.upsert_memo({CAPS_MEMO: caps})
        self._changed = True
        if self.account.over:
            recalled = [holder for holder, lease in self.account.leases.items() if lease.unspent]
            await self._tell_all([(holder, None) for holder in recalled])

    async def _lease(self) -> None:
        """Take in what jobs have told, lease what is free, and answer those who wanted something."""
        self._turn()
        asks, self._asks = self._asks, []
        answered = [ask.holder for ask in asks if self._take_in(ask)]
        await self._answer([*answered, *self.account.serve()])

    def _take_in(self, ask: AccountAsk) -> bool:
        """Hear one ask. Is it to be answered?"""
        self._heard += 1
        self._changed = self.account.hear(ask, workflow.now()) or self._changed
        lease = self.account.leases.get(ask.holder)
        return lease is not None and (ask.wanted > ask.granted or lease.granted > ask.granted)

    async def _answer(self, holders: Iterable[str]) -> None:
        open_ones = [holder for holder in dict.fromkeys(holders) if holder in self.account.leases]
        answers = [(holder, self.account.answer(holder, workflow.now())) for holder in open_ones]
        await self._tell_all(answers)

    async def _tell_all(self, words: Sequence[tuple[str, AccountGrant | None]]) -> None:
        """A few at a time: the engine takes 2,000 signals a workflow at once, and tasks are to be short."""
        for start in range(0, len(words), SIGNALS_AT_ONCE):
            batch = words[start : start + SIGNALS_AT_ONCE]
            await asyncio.gather(*(self._tell(holder, grant) for holder, grant in batch))

    async def _tell(self, holder: str, grant: AccountGrant | None = None) -> None:
        """Tell a job what it has; without that, to give back what it can."""
        job = workflow.get_external_workflow_handle(job_of(holder))
        try:
            if grant:
                await job.signal(ACCOUNT_GRANT, grant)
            else:
                await job.signal(ACCOUNT_RECALL)
        except TemporalError:
            workflow.logger.info("holder of a lease has ended", extra={"holder": holder})
            self.account.miss(holder)

    # --- beside it ----------------------------------------------------------------------------

    def _keep_house(self) -> None:
        """Saving and sweeping wait for the store and the engine; nobody's lease waits for them."""
        times = self.start.times
        sweep_is_due = self._sweep_due or self._is_over(self._swept_at, times.reconcile)
        if sweep_is_due and not _goes_on(self._sweeping):
            self._sweeping = asyncio.create_task(self._then_wake(self._sweep()))
        save_is_due = self._changed and self._is_over(self._saved_at, times.account_save)
        if save_is_due and not _goes_on(self._saving):
            self._saving = asyncio.create_task(self._then_wake(self._save()))

    async def _then_wake(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self._wake = True

    async def _sweep(self) -> None:
        """Find the holders that have ended without a word, and count what they spent."""
        self._sweep_due, self._swept_at = False, workflow.now()
        silence = workflow.now() - timedelta(seconds=self.start.times.reconcile)
        for holder, lease in list(self.account.leases.items()):
            if lease.heard_at and lease.heard_at > silence:
                continue
            found = await self._reconcile(holder)
            if found.spent is not None and holder in self.account.leases:
                workflow.logger.warning("a job vanished, its lease is settled", extra={"holder": holder})
                self.account.close(holder, found.spent, exact=found.exact)
                self._changed = True

    async def _reconcile(self, holder: str) -> Reconciled:
        times = self.start.times
        found: Reconciled = await workflow.execute_activity(
            RECONCILE,
            ReconcileTask(
                tenant=self.start.tenant,
                holder=holder,
                settle_after=times.call_deadline + times.heartbeat_timeout,
            ),
            result_type=Reconciled,
            **policies.account_bookkeeping(times),
        )
        return found

    async def _save(self) -> None:
        self._changed, self._saved_at = False, workflow.now()
        self.account.as_of = workflow.now()
        await workflow.execute_activity(
            SAVE_ACCOUNT,
            SaveTask(account=self.account),
            result_type=Nothing,
            **policies.account_bookkeeping(self.start.times),
        )

    async def _continue_as_new(self) -> NoReturn:
        while self._caps or self._asks:
            await self._take_caps()
            await self._lease()
        workflow.continue_as_new(
            self.start.model_copy(
                update={
                    "caps": self.account.caps,
                    "resume": self.account,
                    "swept_at": None if self._sweep_due else self._swept_at,
                }
            ),
            memo={CAPS_MEMO: self.account.caps},
        )

    def _is_long(self) -> bool:
        return self._heard >= self.start.updates_a_run or policies.history_is_long()

    def _is_over(self, since: datetime, seconds: float) -> bool:
        return workflow.now() - since >= timedelta(seconds=seconds)


def _goes_on(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done()
