"""The account behind a cap: reserve, then settle, release or write off; and leases of one account to others.

The inequality of the whole service, for chunk, job and tenant alike:

    cap >= settled + written off + reserved

where a lease counts as reserved until its holder has spent or returned it. The cap in force is the larger
of the cap that was set and what is committed already, so that lowering it stops what has not started. It can
be passed by one thing only: a provider that charges more than the most that the catalogue allows for
(drift), which is charged all the same.
"""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel, Field

Key = TypeVar("Key", int, str)

UNCAPPED = 2**62
"""A cap that nothing reaches, in nano-dollars."""
UNKNOWN_MODEL = "unknown"
"""Where money is counted as spent and nobody is left who knows what for."""


class Overdrawn(Exception):
    """A reservation asks for more than is left under the cap."""


class Spend(BaseModel):
    """What is spent, or counted as spent since nobody can know; in nano-dollars."""

    settled: int = 0
    written_off: int = 0
    recovered: int = 0
    """Once written off, and settled since; no part of the total."""

    @property
    def total(self) -> int:
        """Settled and written off."""
        return self.settled + self.written_off

    @property
    def ever_written_off(self) -> int:
        """What was written off and what of it was recovered since."""
        return self.written_off + self.recovered

    def plus(self, other: "Spend") -> "Spend":
        """The sum."""
        return Spend(
            settled=self.settled + other.settled,
            written_off=self.written_off + other.written_off,
            recovered=self.recovered + other.recovered,
        )

    def joined(self, other: "Spend") -> "Spend":
        """The later of two running totals of the same, whichever it is: none of the three ever falls."""
        recovered = max(self.recovered, other.recovered)
        return Spend(
            settled=max(self.settled, other.settled),
            written_off=max(self.ever_written_off, other.ever_written_off) - recovered,
            recovered=recovered,
        )


Spending = dict[str, Spend]
"""What was spent on each model."""


def total(spending: Mapping[str, Spend]) -> Spend:
    """Over all models."""
    values = spending.values()
    return Spend(
        settled=sum(spend.settled for spend in values),
        written_off=sum(spend.written_off for spend in values),
        recovered=sum(spend.recovered for spend in values),
    )


def merged(parts: Iterable[Mapping[str, Spend]]) -> Spending:
    """The sum by model."""
    whole: Spending = {}
    for part in parts:
        for model, spend in part.items():
            whole[model] = whole.get(model, Spend()).plus(spend)
    return whole


class Account(BaseModel):
    """Money under one cap, in nano-dollars. Every method is one step of a reservation's life."""

    cap: int
    spent: Spending = Field(default_factory=dict)
    reserved: dict[str, int] = Field(default_factory=dict)
    lost: dict[str, int] = Field(default_factory=dict)
    """Write-offs by reservation: a record that turns up settles the one that it names."""

    @property
    def settled(self) -> int:
        """Billed, as the provider's own count of tokens says."""
        return total(self.spent).settled

    @property
    def written_off(self) -> int:
        """Counted as spent, since the bill can't be known."""
        return total(self.spent).written_off

    @property
    def committed(self) -> int:
        """What is spent, counted as spent, or promised to a call."""
        return total(self.spent).total + sum(self.reserved.values())

    @property
    def available(self) -> int:
        """What a new reservation can have; 0 where the cap was lowered below what is committed."""
        return max(0, self.cap - self.committed)

    def reserve(self, reservation: str, amount: int) -> None:
        """Set aside the most that one call can cost.

        Raises:
            Overdrawn: the cap leaves less than that.
            ValueError: the reservation exists already; one backs at most one call.
        """
        if reservation in self.reserved or reservation in self.lost:
            raise ValueError(f"reservation {reservation} exists already")
        if amount > self.available:
            raise Overdrawn(f"{amount} asked for, {self.available} left")
        self.reserved[reservation] = amount

    def settle(self, reservation: str, cost: int, model: str) -> None:
        """The call was billed at this cost."""
        self.reserved.pop(reservation)
        self.charge(cost, model)

    def release(self, reservation: str) -> None:
        """No call was billed under this reservation."""
        self.reserved.pop(reservation)

    def write_off(self, reservation: str, model: str) -> None:
        """The call may have been billed: count all of it."""
        amount = self.reserved.pop(reservation)
        self._spend(model, Spend(written_off=amount))
        self.lost[reservation] = amount

    def recover(self, reservation: str, cost: int, model: str) -> bool:
        """A record shows what a written-off call really cost. Says whether there was such a write-off."""
        amount = self.lost.pop(reservation, None)
        if amount is None:
            return False
        self._spend(model, Spend(settled=cost, written_off=-amount, recovered=amount))
        return True

    def charge(self, cost: int, model: str) -> None:
        """Something was billed that no reservation of this account stands for."""
        self._spend(model, Spend(settled=cost))

    def _spend(self, model: str, more: Spend) -> None:
        self.spent[model] = self.spent.get(model, Spend()).plus(more)


class Lease(BaseModel):
    """A holder's share of a cap, as the one that leases knows it. Grants and returns only ever grow."""

    granted: int = 0
    returned: int = 0
    spent: Spending = Field(default_factory=dict)

    @property
    def spend(self) -> Spend:
        """What the holder has spent, as far as it has told."""
        return total(self.spent)

    @property
    def unspent(self) -> int:
        """What the holder can still spend, as far as it has told."""
        return max(0, self.granted - self.returned - self.spend.total)

    @property
    def held(self) -> int:
        """What it takes of the cap: all that it was granted and did not return, or its drift above that."""
        return self.spend.total + self.unspent

    def tell(self, *, granted: int, returned: int, spent: Spending) -> None:
        """Take in the holder's running totals; it may know of grants that a reset has made us forget."""
        self.granted = max(self.granted, granted)
        self.returned, self.spent = returned, spent


class Leases(BaseModel, Generic[Key]):
    """The other side of the same account: what the holders of its leases hold of its cap."""

    cap: int
    open: dict[Key, Lease] = Field(default_factory=dict)
    closed: Spending = Field(default_factory=dict)

    @property
    def spent(self) -> Spending:
        """Spent by all holders, as far as they have told."""
        return merged([self.closed, *(lease.spent for lease in self.open.values())])

    @property
    def committed(self) -> int:
        """The most that can be on the bill by what is granted: spent, and leased and not yet spent."""
        return total(self.closed).total + sum(lease.held for lease in self.open.values())

    @property
    def free(self) -> int:
        """What can still be leased."""
        return max(0, self.cap - self.committed)

    def grant(self, holder: Key, amount: int) -> int:
        """Lease up to this much more; answers what the holder was granted in all, ever."""
        lease = self.open.setdefault(holder, Lease())
        lease.granted += min(amount, self.free)
        return lease.granted

    def close(self, holder: Key) -> None:
        """The holder is done: what it did not spend is free again."""
        self._spend(self.open.pop(holder).spent)

    def write_off(self, holder: Key) -> None:
        """The holder vanished: all that it held and did not settle counts as spent."""
        lease = self.open.pop(holder)
        self._spend(lease.spent)
        if lease.unspent:
            self._spend({UNKNOWN_MODEL: Spend(written_off=lease.unspent)})

    def _spend(self, spent: Spending) -> None:
        self.closed = merged([self.closed, spent])
