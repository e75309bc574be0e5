"""The provider's ledger, followed while jobs run, and judged entry by entry."""

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from tests.acceptance.service import Service


@dataclass(frozen=True, slots=True)
class Bill:
    """One call that the provider charges for, in nano-dollars; its prompt as SHA-256."""

    time: float
    prompt: str
    nano: int


class Ledger:
    """All bills so far, in the order in which the provider made them out."""

    def __init__(self, service: Service) -> None:
        self.bills: list[Bill] = []
        self._service = service
        self._next = 0
        self._lock = asyncio.Lock()

    async def read(self) -> None:
        """Take in what was added since the last time."""
        async with self._lock:
            self._next, entries = await self._service.entries(self._next)
        self.bills += [
            Bill(entry["time"], entry["prompt_sha256"], entry["billed_nano"])
            for entry in entries
            if entry["event"] == "billed"
        ]

    def of(self, prompts: Collection[str]) -> list[Bill]:
        """The bills for prompts, by their hashes."""
        return [bill for bill in self.bills if bill.prompt in prompts]


def hashed(prompt: str) -> str:
    """A prompt as the ledger names it."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def total(bills: Iterable[Bill]) -> int:
    """The sum, in nano-dollars."""
    return sum(bill.nano for bill in bills)


def running_totals(bills: Iterable[Bill]) -> Iterator[tuple[Bill, int]]:
    """Each bill, and the sum up to it."""
    so_far = 0
    for bill in bills:
        so_far += bill.nano
        yield bill, so_far
