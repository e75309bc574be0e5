"""The account behind a cap: reserve, then settle, release or write off.

The inequality of the whole service, for chunk and job alike:

    cap >= settled + written off + reserved

It can be passed by one thing only: a provider that charges more than the most that the catalogue
allows for (drift), which is charged all the same.
"""

from pydantic import BaseModel, Field


class Overdrawn(Exception):
    """A reservation asks for more than is left under the cap."""


class Account(BaseModel):
    """Money under one cap, in nano-dollars. Every method is one step of a reservation's life."""

    cap: int
    settled: int = 0
    written_off: int = 0
    reserved: dict[str, int] = Field(default_factory=dict)
    lost: dict[str, int] = Field(default_factory=dict)
    """Write-offs by reservation: a record that turns up settles the one that it names."""

    @property
    def committed(self) -> int:
        """What is spent, counted as spent, or promised to a call."""
        return self.settled + self.written_off + sum(self.reserved.values())

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

    def settle(self, reservation: str, cost: int) -> None:
        """The call was billed at this cost."""
        self.reserved.pop(reservation)
        self.settled += cost

    def release(self, reservation: str) -> None:
        """No call was billed under this reservation."""
        self.reserved.pop(reservation)

    def write_off(self, reservation: str) -> None:
        """The call may have been billed: count all of it."""
        amount = self.reserved.pop(reservation)
        self.written_off += amount
        self.lost[reservation] = amount

    def recover(self, reservation: str, cost: int) -> bool:
        """A record shows what a written-off call really cost. Says whether there was such a write-off."""
        amount = self.lost.pop(reservation, None)
        if amount is None:
            return False
        self.written_off -= amount
        self.settled += cost
        return True


class Lease(BaseModel):
    """A chunk's share of the job's cap, as the job knows it. Amounts only grow until it is closed."""

    granted: int = 0
    returned: int = 0
    settled: int = 0
    written_off: int = 0

    @property
    def held(self) -> int:
        """What it takes of the cap: all that it was granted and did not return, or its drift above that."""
        spent = self.settled + self.written_off
        return max(self.granted - self.returned, spent)


class Leases(BaseModel):
    """The job's side of the same account: what its chunks hold of its cap."""

    cap: int
    chunks: dict[int, Lease] = Field(default_factory=dict)
    closed_settled: int = 0
    closed_written_off: int = 0

    @property
    def free(self) -> int:
        """What can still be leased."""
        held = sum(lease.held for lease in self.chunks.values())
        return max(0, self.cap - self.closed_settled - self.closed_written_off - held)

    def grant(self, chunk: int, amount: int) -> int:
        """Lease up to this much more to a chunk; answers what it was granted in all, ever."""
        lease = self.chunks.setdefault(chunk, Lease())
        lease.granted += min(amount, self.free)
        return lease.granted

    def update(self, chunk: int, *, granted: int, returned: int, settled: int, written_off: int) -> None:
        """Take in a chunk's running totals; it may know of grants that a reset of the job has forgotten."""
        lease = self.chunks[chunk]
        lease.granted = max(lease.granted, granted)
        lease.returned, lease.settled, lease.written_off = returned, settled, written_off

    def close(self, chunk: int) -> None:
        """The chunk is done: what it did not spend is free again."""
        lease = self.chunks.pop(chunk)
        self.closed_settled += lease.settled
        self.closed_written_off += lease.written_off

    def write_off(self, chunk: int) -> None:
        """The chunk vanished: all that it held and did not settle counts as spent."""
        lease = self.chunks.pop(chunk)
        self.closed_settled += lease.settled
        self.closed_written_off += max(0, lease.held - lease.settled)

    @property
    def settled(self) -> int:
        """Settled by all chunks, as far as they have told."""
        return self.closed_settled + sum(lease.settled for lease in self.chunks.values())

    @property
    def written_off(self) -> int:
        """Written off by all chunks, as far as they have told."""
        return self.closed_written_off + sum(lease.written_off for lease in self.chunks.values())
