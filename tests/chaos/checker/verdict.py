"""What the judges say: violations, what could not be judged, and how much was."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that did not hold: what was seen, in plain words, of what, and the lines that show it."""

    invariant: str
    what: str
    where: str
    evidence: list[str]


@dataclass(slots=True)
class Verdict:
    """Filled by one judge after the other.

    Attributes:
        undecided: how often something could not be judged, by promise and reason.
        judged: how many things were judged, by promise: one without any was not looked at.
    """

    violations: list[Violation] = field(default_factory=list)
    undecided: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Any] = field(default_factory=dict)

    def violated(self, invariant: str, what: str, where: str, evidence: Iterable[str] = ()) -> None:
        """This must not be."""
        self.violations.append(Violation(invariant, what, where, [*evidence]))

    def must(
        self, invariant: str, holds: object, what: str, where: str, evidence: Iterable[str] = ()
    ) -> None:
        """Judge one thing."""
        self.judged[invariant] += 1
        if not holds:
            self.violated(invariant, what, where, evidence)

    def unsure(self, invariant: str, why: str, times: int = 1) -> None:
        """This can't be judged."""
        if times:
            self.undecided[f"{invariant}: {why}"] += times

    def as_json(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "violations": [asdict(violation) for violation in self.violations],
            "undecided": dict(sorted(self.undecided.items())),
            "judged": dict(sorted(self.judged.items())),
            "figures": self.figures,
        }
