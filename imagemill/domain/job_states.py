"""The states of a job, and which may follow which: what ``docs/concepts/job-states.md`` draws.

A state is what a job's memo says. Between two sightings a job may pass through several, so that a caller
who polls can see any later state follow any earlier one.
"""

from collections.abc import Mapping
from typing import Literal, get_args

JobState = Literal[
    "queued", "validating", "running", "held", "pausing", "paused", "cancelling",
    "completed", "completed_with_errors", "cancelled", "failed", "duplicate",
]  # fmt: skip
ENDED: tuple[JobState, ...] = ("completed", "completed_with_errors", "cancelled", "failed", "duplicate")

_RAN: frozenset[JobState] = frozenset({"completed", "completed_with_errors"})
_ON_THE_WAY: frozenset[JobState] = frozenset({"running", "held", "pausing", "paused", "cancelling"})

FOLLOWING: Mapping[JobState, frozenset[JobState]] = {
    "queued": frozenset({"validating", "pausing"}),
    "validating": frozenset({*_ON_THE_WAY, *_RAN, "failed", "duplicate"}),
    "running": frozenset({*_RAN, "held", "pausing", "paused", "cancelling"}),
    "held": frozenset({*_RAN, "running", "pausing", "paused", "cancelling"}),
    "pausing": frozenset({*_ON_THE_WAY, *_RAN, "validating", "failed", "duplicate"}),
    "paused": frozenset({*_RAN, "running", "held", "pausing", "cancelling"}),
    "cancelling": frozenset({*_RAN, "cancelled", "failed", "duplicate"}),
    **{end: frozenset[JobState]() for end in ENDED},
}
"""The states that may come right after each. ``failed`` by an operator's hand may follow any."""


def may_follow(before: JobState, after: JobState) -> bool:
    """Is this a step that the table knows? A state may always follow itself."""
    return after == before or after in FOLLOWING[before]


assert set(FOLLOWING) == set(get_args(JobState))  # noqa: S101 - a state without a row is a mistake here
