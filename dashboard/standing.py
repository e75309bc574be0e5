"""How a job stands, as its page and its line in the list draw it."""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from api.models import CostAnswer, HoldAnswer, ItemCounts, JobAnswer
from dashboard.words import count, money
from imagemill.domain.job_states import ENDED

Piece = tuple[str, str, float, str]
"""A part of a bar: its class, its name, its size, and that in words."""

CENT = Decimal("0.01")
STOPPABLE = ("queued", "validating", "running", "held")
RETRIED = ("failed", "blocked", "skipped", "cancelled")


def item_pieces(items: ItemCounts) -> list[Piece]:
    """Items by state, those that are under way last; states that no item is in are left out."""
    shown = [
        ("succeeded", "Succeeded", items.succeeded),
        ("blocked", "Blocked", items.blocked),
        ("failed", "Failed", items.failed),
        ("skipped", "Skipped", items.skipped),
        ("cancelled", "Cancelled", items.cancelled),
        ("running", "Under way", items.running),
        ("rest", "Waiting", items.pending or 0),
    ]
    return [(kind, name, number, count(number)) for kind, name, number in shown if number]


def money_pieces(cost: CostAnswer) -> list[Piece]:
    """Dollars against the cap. What is leased and not reserved is still free."""
    settled, written = Decimal(cost.settled_usd), Decimal(cost.written_off_usd)
    reserved, cap = Decimal(cost.reserved_usd), Decimal(cost.limit_usd)
    left = max(Decimal(0), cap - settled - written - reserved)
    shown = [
        ("settled", "Spent", settled),
        ("written", "Written off", written),
        ("reserved", "Reserved for calls under way", reserved),
        ("rest", "Left of the cap", left),
    ]
    return [
        (kind, name, float(amount), money(amount))
        for kind, name, amount in shown
        if amount or kind in ("settled", "rest")
    ]


def done(items: ItemCounts) -> int:
    """Items that have reached their end."""
    return items.succeeded + items.blocked + items.failed + items.skipped + items.cancelled


def spent(cost: CostAnswer) -> Decimal:
    """What counts as spent: billed, and what can't be known."""
    return Decimal(cost.settled_usd) + Decimal(cost.written_off_usd)


@dataclass(frozen=True, slots=True)
class Standing:
    """A job's status, with what its page makes of it."""

    job: JobAnswer

    @property
    def ended(self) -> bool:
        """Will nothing change any more?"""
        return self.job.state in ENDED

    @property
    def done(self) -> int:
        """Items that have reached their end."""
        return done(self.job.items)

    @property
    def spent(self) -> Decimal:
        """What counts as spent."""
        return spent(self.job.cost)

    @property
    def whole(self) -> float:
        """What the bar of money is drawn against: the cap, or what is above it."""
        return max(float(Decimal(self.job.cost.limit_usd)), sum(piece[2] for piece in self.money[:-1]))

    @property
    def items(self) -> list[Piece]:
        """The bar of items."""
        return item_pieces(self.job.items)

    @property
    def money(self) -> list[Piece]:
        """The bar of money."""
        return money_pieces(self.job.cost)

    @property
    def can_pause(self) -> bool:
        """Is there something to pause?"""
        return self.job.state in STOPPABLE

    @property
    def can_resume(self) -> bool:
        """Does it wait for a person?"""
        hold = self.job.hold
        return self.job.state in ("paused", "pausing") or (hold is not None and hold.code != "budget")

    @property
    def can_cancel(self) -> bool:
        """Is there something to cancel?"""
        return not self.ended and self.job.state != "cancelling"

    @property
    def retried(self) -> list[tuple[str, int]]:
        """States of items that could be tried again, and how many there are."""
        items = self.job.items
        found = [(state, int(getattr(items, state))) for state in RETRIED]
        return [(state, number) for state, number in found if number] if self.ended else []

    @property
    def suggested(self) -> str | None:
        """The cap that would end the hold, in whole cents; None: a cap has nothing to do with it."""
        return suggested_cap(self.job.hold, self.job.cost)

    @property
    def said(self) -> str:
        """All of it in a sentence, for who can't see the bars."""
        items = self.job.items
        total = "" if items.total is None else f" of {items.total:,}"
        return (
            f"{self.done:,}{total} items done, {money(self.spent)} of {money(self.job.cost.limit_usd)} spent"
        )


def suggested_cap(hold: HoldAnswer | None, cost: CostAnswer) -> str | None:
    """What to raise the cap to: enough for all items if that is known, and for one more at least."""
    if hold is None or hold.code != "budget":
        return None
    more = max(Decimal(hold.likely_usd or 0), Decimal(hold.smallest_usd or 0))
    return str((Decimal(cost.limit_usd) + more).quantize(CENT, ROUND_UP))
