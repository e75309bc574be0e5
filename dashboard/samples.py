"""How far a job was when: what this process has seen of it while somebody looked.

The service keeps no series of times. Each read of a job for a page leaves a sample here, so that who watches
sees the job's pace; the page says since when it was watched.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from api.models import JobAnswer

MOST_JOBS = 300
MOST_SAMPLES = 240
"""Of a job; then every second one is forgotten."""

STATES = ("succeeded", "blocked", "failed", "skipped", "cancelled")


@dataclass(frozen=True, slots=True)
class Sample:
    """Items by state at a moment, in the order of ``STATES``."""

    at: datetime
    counts: tuple[int, ...]

    @property
    def done(self) -> int:
        """All of them."""
        return sum(self.counts)


class Samples:
    """Of the jobs that were looked at last."""

    def __init__(self, most_jobs: int = MOST_JOBS) -> None:
        self._most = most_jobs
        self._of: OrderedDict[tuple[str, str], list[Sample]] = OrderedDict()

    def take(self, tenant: str, job: JobAnswer, now: datetime) -> list[Sample]:
        """Add what was just read, and return all that is known, the oldest first."""
        known = self._of.setdefault((tenant, job.id), [])
        self._of.move_to_end((tenant, job.id))
        while len(self._of) > self._most:
            self._of.popitem(last=False)
        sample = Sample(job.ended_at or now, tuple(getattr(job.items, state) for state in STATES))
        if not known or sample.counts != known[-1].counts or sample.at > known[-1].at:
            if len(known) > 1 and known[-2].counts == known[-1].counts == sample.counts:
                known.pop()  # while it stands still, the two ends of that time are enough
            known.append(sample)
        if len(known) > MOST_SAMPLES:
            del known[1:-1:2]
        return list(known)
