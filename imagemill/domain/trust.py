"""How far the maximum of a model is trusted within a job: how many calls at once, and by which factor."""

from pydantic import BaseModel

PROOF = 5
"""So many calls in turn must have settled within the maximum before more than one is made at once."""


class Trust(BaseModel):
    """What the calls of one model have shown of its maximum."""

    uncertain: bool = False
    """The catalogue's maximum rests on something unpublished, or a call has cost more than it."""
    within: int = 0
    """Calls that have settled within it, since the beginning or the last that did not."""
    permille: int = 1000
    """The maximum is multiplied by this many thousandths."""
    drifts: int = 0
    drift_nano: int = 0

    @property
    def proven(self) -> bool:
        """May more than one call be made at once?"""
        return not self.uncertain or self.within >= PROOF

    def at_once(self, most: int) -> int:
        """Calls that may be under way: one, after the fifth two, and twice as many after every five more."""
        return most if not self.uncertain else min(most, 2 ** min(30, self.within // PROOF))

    def reservation(self, maximum: int) -> int:
        """What to reserve for a call, in nano-dollars."""
        return -(-maximum * self.permille // 1000)

    def settled(self, maximum: int, reserved: int, cost: int) -> int:
        """A call was billed. Answers by how much that is above its reservation."""
        drift = max(0, cost - reserved)
        if drift:
            self.raise_to(-(-cost * 1000 // max(1, maximum)))
            self.drifts += 1
            self.drift_nano += drift
        else:
            self.within += 1
        return drift

    def learn(self, other: "Trust") -> bool:
        """Take in what others have found out, but for their drifts. Says whether the factor was raised."""
        raised = other.permille > self.permille
        self.uncertain = self.uncertain or other.uncertain
        self.raise_to(other.permille)
        if other.permille == self.permille:
            self.within = max(self.within, other.within)
        return raised

    def raise_to(self, permille: int) -> None:
        """A call has cost so many thousandths of its maximum: begin anew, and more carefully."""
        if permille > self.permille:
            self.permille, self.uncertain, self.within = permille, True, 0
