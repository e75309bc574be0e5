"""The account of a tenant, or of a schedule: caps by day and month over its jobs, and what each has leased.

    cap of a window >= spent in the window + leased and not yet spent

What is leased when a window turns counts in the new window as well as in the old one, until it is spent.
What a job tells counts on the day on which it tells it.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field, field_validator

from imagemill.domain.budget import UNCAPPED, UNKNOWN_MODEL, Lease, Spend, Spending, merged, total
from imagemill.domain.windows import end_of_day, end_of_month, month, month_before, zone

Window = Literal["day", "month"]


class Caps(BaseModel):
    """What a tenant may spend, in nano-dollars; None: no cap."""

    day_nano: int | None = None
    month_nano: int | None = None
    time_zone: str = "UTC"
    """Whose midnight ends a day: an IANA name, or an offset such as ``+05:30``."""

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        zone(name)
        return name

    @property
    def any(self) -> bool:
        """Is there a cap at all?"""
        return self.day_nano is not None or self.month_nano is not None


class AccountAsk(BaseModel):
    """What a job tells its tenant's account: running totals, and a wish. The highest sequence counts."""

    holder: str
    """The job, and which of its runs: ``job_…/1a2b3c4d``."""
    sequence: int
    granted: int = 0
    """What it has been granted in all, as far as it has heard."""
    returned: int = 0
    spent: Spending = Field(default_factory=dict)
    wanted: int = 0
    """What it would like to have been granted in all; what it was granted where it wants nothing."""
    smallest: int = 0
    """The least that would let it start an item; 0: it does not wait for money."""
    done: bool = False

    @property
    def job(self) -> str:
        """Whom to answer."""
        return job_of(self.holder)


def job_of(holder: str) -> str:
    """The job of a holder of a lease."""
    return holder.partition("/")[0]


class AccountGrant(BaseModel):
    """The account's answer: running totals, so that repeats are harmless."""

    schedule: str | None = None
    """Which schedule's account answers; None: the tenant's own."""
    granted: int
    returned: int = 0
    answered: int = 0
    """The sequence of the last ask that it has taken in."""
    short: Window | None = None
    """The window that leaves too little, where something was wanted."""
    left: int = 0
    """What it leaves; below 0 where more is spent or leased than the cap that was lowered allows."""
    until: datetime | None = None
    """When that window ends."""


class TenantLease(Lease):
    """A job's share, and what it waits for."""

    sequence: int = 0
    wanted: int = 0
    smallest: int = 0
    heard_at: datetime | None = None
    lost_on: dict[str, Spending] = Field(default_factory=dict)
    """The days on which its write-offs were counted, and where recovered ones are taken back."""

    def recoverable(self, window: str) -> int:
        """Written off on days outside the window: once recovered, it may be spent in the window."""
        before = (spent for day, spent in self.lost_on.items() if not day.startswith(window))
        return sum(total(spent).written_off for spent in before)

    @property
    def missing(self) -> int:
        """What it would like to have more."""
        return max(0, self.wanted - self.granted)


class EndedLease(BaseModel):
    """What is remembered of a holder that has ended: what it tells again is not counted again."""

    sequence: int
    granted: int = 0
    returned: int = 0
    spent: Spending


ENDED_KEPT = 200
"""So many of the last holders that have ended are remembered; a repeat comes within seconds."""


class TenantAccount(BaseModel):
    """The whole state of an account: a tenant's, or one of its schedules'."""

    tenant: str
    schedule: str | None = None
    caps: Caps
    today: date
    leases: dict[str, TenantLease] = Field(default_factory=dict)
    ended: dict[str, EndedLease] = Field(default_factory=dict)
    as_of: datetime | None = None
    """When it was saved like this."""
    days: dict[str, Spending] = Field(default_factory=dict)
    """Spent by day and model: this month and the one before."""

    # --- what is left -------------------------------------------------------------------------

    @property
    def leased(self) -> int:
        """Leased to jobs and not yet spent, as far as they have told."""
        return sum(lease.unspent for lease in self.leases.values())

    def cap(self, window: Window) -> int | None:
        """The cap that was set for a window."""
        return self.caps.day_nano if window == "day" else self.caps.month_nano

    def spent_in(self, window: Window) -> Spending:
        """Spent in the window that is open now, by model."""
        prefix = self._prefix(window)
        return merged(spent for day, spent in self.days.items() if day.startswith(prefix))

    def _prefix(self, window: Window) -> str:
        """How the days of the window that is open now begin."""
        return self.today.isoformat() if window == "day" else month(self.today)

    def left_in(self, window: Window) -> int:
        """What the window leaves to lease: never below 0; UNCAPPED where it has no cap."""
        return max(0, self._room_in(window))

    def _room_in(self, window: Window) -> int:
        """Below 0 where the cap was lowered below what is spent or leased."""
        cap = self.cap(window)
        return UNCAPPED if cap is None else cap - self.committed_in(window)

    def committed_in(self, window: Window) -> int:
        """What takes of the window's cap: spent in it, leased, and what may be recovered in it."""
        prefix = self._prefix(window)
        recoverable = sum(lease.recoverable(prefix) for lease in self.leases.values())
        return total(self.spent_in(window)).total + self.leased + recoverable

    @property
    def free(self) -> int:
        """What can be leased now."""
        return min(self.left_in("day"), self.left_in("month"))

    @property
    def over(self) -> bool:
        """Is more leased than a cap still allows? Only after one was lowered, or after drift."""
        return self.leased > 0 and min(self._room_in("day"), self._room_in("month")) < 0

    # --- jobs ---------------------------------------------------------------------------------

    def hear(self, ask: AccountAsk, now: datetime) -> bool:
        """Take in what a job tells. False: it was told before, or something newer was."""
        lease = self.leases.get(ask.holder)
        if lease is None:
            if ask.done and not ask.spent and ask.holder not in self.ended:
                return False
            lease = self._new_lease(ask.holder)
        if ask.sequence <= lease.sequence:
            return False
        self.leases[ask.holder] = lease
        lease.sequence, lease.heard_at = ask.sequence, now
        spent = _joined(lease.spent, ask.spent)
        self._count(lease, spent)
        lease.tell(granted=ask.granted, returned=max(lease.returned, ask.returned), spent=spent)
        lease.wanted, lease.smallest = ask.wanted, ask.smallest
        if ask.done:
            self._forget(ask.holder)
        return True

    def _new_lease(self, holder: str) -> TenantLease:
        """A holder that has ended and speaks again (an operator has reset its job) goes on from there."""
        before = self.ended.get(holder)
        return TenantLease(**before.model_dump()) if before else TenantLease()

    @staticmethod
    def _as_told(lease: TenantLease, records: Spending) -> Spending:
        """Records that are complete: what they no longer show as written off was recovered since.

        What was told as recovered stays so: what the records show as written off came besides.
        """
        back = {
            model: max(told.recovered, told.ever_written_off - records.get(model, Spend()).written_off)
            for model, told in lease.spent.items()
        }
        return merged([records, {model: Spend(recovered=amount) for model, amount in back.items()}])

    def _forget(self, holder: str) -> None:
        lease = self.leases.pop(holder)
        self.ended[holder] = EndedLease(
            sequence=lease.sequence,
            granted=lease.granted,
            # What it did not spend is free from now on, whatever it thinks.
            returned=max(lease.returned, lease.granted - lease.spend.total),
            spent=lease.spent,
        )
        for oldest in list(self.ended)[:-ENDED_KEPT]:
            del self.ended[oldest]

    def close(self, holder: str, spent: Spending, *, exact: bool) -> None:
        """A holder's end was found out, and all that its records show as spent.

        What it has told is not doubted. Where the records may not be all, the rest of what it held counts
        as spent too.
        """
        lease = self.leases[holder]
        known = _joined(lease.spent, self._as_told(lease, spent) if exact else spent)
        rest = lease.granted - lease.returned - total(known).total
        if not exact and rest > 0:
            known = merged([known, {UNKNOWN_MODEL: Spend(written_off=rest)}])
        self._count(lease, known)
        lease.spent = known
        self._forget(holder)

    def miss(self, holder: str) -> None:
        """A holder can't be reached: lease it nothing more, until a sweep finds out what became of it."""
        lease = self.leases.get(holder)
        if lease:
            lease.wanted, lease.heard_at = lease.granted, None

    def grant(self, holder: str) -> bool:
        """Lease a job more, if what is free of its wish is worth it. Says whether it was."""
        return self._lease_more(self.leases[holder], self.free) > 0

    @staticmethod
    def _lease_more(lease: TenantLease, free: int) -> int:
        least = lease.smallest or max(1, lease.missing // 4)
        more = min(lease.missing, free) if free >= least else 0
        lease.granted += more
        return more

    def serve(self) -> list[str]:
        """Lease to all who wait, those first who waited longest. Answers whom."""
        waiting = sorted(
            (holder for holder, lease in self.leases.items() if lease.missing),
            key=lambda holder: self.leases[holder].sequence,
        )
        free, served = self.free, []
        for holder in waiting:
            if more := self._lease_more(self.leases[holder], free):
                free -= more
                served.append(holder)
        return served

    def answer(self, holder: str, now: datetime) -> AccountGrant:
        """What a job is to be told."""
        lease = self.leases[holder]
        short = self._short(lease.smallest or 1) if lease.missing else None
        return AccountGrant(
            schedule=self.schedule,
            granted=lease.granted,
            returned=lease.returned,
            answered=lease.sequence,
            short=short,
            left=self._room_in(short) if short else 0,
            until=self._end(short, now) if short else None,
        )

    def _short(self, least: int) -> Window | None:
        """The window that leaves less than that; the longer one, if both do."""
        windows: tuple[Window, Window] = ("month", "day")
        return next((window for window in windows if self.left_in(window) < least), None)

    def _end(self, window: Window, now: datetime) -> datetime:
        end = end_of_day if window == "day" else end_of_month
        return end(now, self.caps.time_zone)

    # --- days ---------------------------------------------------------------------------------

    def turn(self, today: date) -> bool:
        """A day has begun. False: it has not, or a clock or a time zone was turned back.

        Of days before the month before, nothing is kept here.
        """
        if today <= self.today:
            return False
        self.today = today
        kept = (month(today), month_before(today))
        self.days = {day: spent for day, spent in self.days.items() if day.startswith(kept)}
        return True

    def let_go(self) -> None:
        """What was written off on earlier days stays so: no call of theirs can turn up any more."""
        for lease in self.leases.values():
            lease.lost_on = {
                day: spent for day, spent in lease.lost_on.items() if day >= self.today.isoformat()
            }

    def _count(self, lease: TenantLease, spent: Spending) -> None:
        """Count what a job has spent since it last told, today."""
        today = self.today.isoformat()
        for model, now in spent.items():
            before = lease.spent.get(model, Spend())
            lost = Spend(written_off=max(0, now.ever_written_off - before.ever_written_off))
            self._add(self.days, today, model, lost.plus(Spend(settled=now.settled - before.settled)))
            self._add(lease.lost_on, today, model, lost)
            self._take_back(lease, model, max(0, now.recovered - before.recovered))

    def _take_back(self, lease: TenantLease, model: str, amount: int) -> None:
        """Take a write-off that was recovered from the days that it was counted on.

        From the oldest first: to take too much from a window that has closed does no harm.
        """
        for day in sorted(lease.lost_on):
            taken = min(lease.lost_on[day].get(model, Spend()).written_off, amount)
            amount -= taken
            self._add(lease.lost_on, day, model, Spend(written_off=-taken))
            if day in self.days:
                self._add(self.days, day, model, Spend(written_off=-taken))

    @staticmethod
    def _add(days: dict[str, Spending], day: str, model: str, more: Spend) -> None:
        if more.settled or more.written_off:
            days[day] = merged([days.get(day, {}), {model: more}])


def _joined(one: Spending, other: Spending) -> Spending:
    """The later of two running totals, model by model."""
    return {
        model: one.get(model, Spend()).joined(other.get(model, Spend()))
        for model in one.keys() | other.keys()
    }
