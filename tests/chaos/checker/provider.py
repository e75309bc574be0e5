"""What the provider's ledger saw: calls that were billed, and calls that were turned away."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tests.chaos.checker.evidence import Json, Line


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that reached the provider; what is known of it from its first line."""

    line: Line

    @property
    def said(self) -> Json:
        """The line itself."""
        return self.line.said

    @property
    def time(self) -> float:
        """When it came."""
        return self.line.time

    @property
    def request(self) -> str:
        """The provider's id of it."""
        return str(self.said["request_id"])

    @property
    def prompt(self) -> str | None:
        """The SHA-256 of its prompt."""
        return self.said.get("prompt_sha256")

    @property
    def nano(self) -> int:
        """What it costs; nothing if it was turned away."""
        return int(self.said.get("billed_nano", 0))

    @property
    def where(self) -> str:
        """The line that shows it."""
        return self.line.where


class Provider:
    """The ledger, in its own order."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.bills: list[Arrival] = []
        self.refusals: list[Arrival] = []
        self.outcomes: dict[str, str] = {}
        self.by_prompt: dict[str, list[Arrival]] = defaultdict(list)
        self.refused_by_prompt: dict[str, list[Arrival]] = defaultdict(list)
        for line in lines:
            self._take(line)
        self.by_request = {bill.request: bill for bill in self.bills}

    def _take(self, line: Line) -> None:
        event, arrival = line.said.get("event"), Arrival(line)
        if event == "billed":
            self.bills.append(arrival)
            self.by_prompt[str(arrival.prompt)].append(arrival)
        elif event == "refused":
            self.refusals.append(arrival)
            self.refused_by_prompt[str(arrival.prompt)].append(arrival)
        else:
            self.outcomes[arrival.request] = str(line.said.get("outcome"))

    @property
    def arrivals(self) -> list[Arrival]:
        """All calls, by the time when they came."""
        return sorted([*self.bills, *self.refusals], key=lambda arrival: arrival.time)


def hashed(prompt: str) -> str:
    """A prompt as the ledger names it."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def total(bills: Iterable[Arrival]) -> int:
    """The sum, in nano-dollars."""
    return sum(bill.nano for bill in bills)


def places(arrivals: Iterable[Arrival], most: int = 10) -> list[str]:
    """The lines that show them; of many the first."""
    return [arrival.where for arrival in arrivals][:most]
