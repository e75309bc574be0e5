"""What a job tells by webhook: which events there are, when each of them is due, and what it says.

An event's id is made of the job, the type and a number, so that whatever is tried again is the same event.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field

from imagemill.domain.errors import explain
from imagemill.domain.job import Counts, Hold, JobSummary, Progress
from imagemill.domain.job_states import JobState
from imagemill.domain.money import format_usd

EventType = Literal[
    "job.running", "job.progress", "job.held", "job.completed", "job.failed", "job.cancelled",
]  # fmt: skip
EVENTS: tuple[EventType, ...] = get_args(EventType)
DEFAULT_EVENTS: tuple[EventType, ...] = ("job.completed", "job.failed", "job.cancelled", "job.held")

LONGEST_URL = 2048

WAITS = (0.0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before each attempt at a delivery: about three days and a third in all."""

JITTER = 0.1
"""Each wait is longer or shorter by up to this share."""

_TOLD: dict[str, EventType] = {
    "running": "job.running",
    "held": "job.held",
    "completed": "job.completed",
    "completed_with_errors": "job.completed",
    "failed": "job.failed",
    "cancelled": "job.cancelled",
}


def event_id(job: str, kind: EventType, number: int) -> str:
    """The id of an event: the same for the same job, type and number, and for no other."""
    return f"evt_{hashlib.sha256(f'{job}/{kind}/{number}'.encode()).hexdigest()[:32]}"


class Notice(BaseModel):
    """An event, as a job's workflow notes it down: what its status shows at that moment.

    ``number`` tells events of one type apart: the so-manieth hold, or the percentage of progress.
    """

    type: EventType
    number: int
    at: datetime
    state: JobState
    name: str | None = None
    items: int | None = None
    running: int = 0
    counts: Counts = Field(default_factory=Counts)
    settled_nano: int = 0
    written_off_nano: int = 0
    committed_nano: int = 0
    cap_nano: int = 0
    hold: Hold | None = None
    failure: str | None = None


class Telling(BaseModel):
    """What a job has told, and what it has yet to tell; goes whole to its next run."""

    events: list[EventType] = Field(default_factory=list)
    """What its webhook asks for; none: it has no webhook."""
    shown: str = ""
    """The state that was last shown, and what it was held for."""
    quarters: int = 0
    numbers: dict[EventType, int] = Field(default_factory=dict)
    waiting: list[Notice] = Field(default_factory=list)
    """Noted, in order, and not yet written down as events."""

    def hear(self, summary: JobSummary, whole: Progress, now: datetime) -> None:
        """The status shows this from now on: note what is worth telling of it.

        ``whole`` are the totals of all chunks, those that run included.
        """
        hold = (summary.hold or whole.hold) if summary.state == "held" else None
        shown = f"{summary.state}/{hold.code}" if hold else summary.state
        kind = _TOLD.get(summary.state)
        if shown != self.shown and kind:
            self._note(kind, self.numbers.get(kind, 0) + 1, summary, whole, now)
        self.shown = shown
        quarters = whole.counts.terminal * 4 // summary.items if summary.items else 0
        if self.quarters < quarters < 4 and summary.state in ("running", "held"):
            self.quarters = quarters
            self._note("job.progress", 25 * quarters, summary, whole, now)

    def _note(
        self, kind: EventType, number: int, summary: JobSummary, whole: Progress, now: datetime
    ) -> None:
        if kind not in self.events:
            return
        self.numbers[kind] = number
        hold = (summary.hold or whole.hold) if kind == "job.held" else None
        known = whole.settled_nano + whole.written_off_nano + whole.reserved_nano
        self.waiting.append(
            Notice(
                type=kind,
                number=number,
                at=now,
                state=summary.state,
                name=summary.name,
                items=summary.items,
                running=whole.running,
                counts=whole.counts.model_copy(),
                settled_nano=whole.settled_nano,
                written_off_nano=whole.written_off_nano,
                committed_nano=max(known, summary.committed_nano),
                cap_nano=summary.cap_nano,
                hold=hold and hold.model_copy(),
                failure=summary.failure,
            )
        )


def body_of(job: str, notice: Notice) -> bytes:
    """The body of an event, as it is signed and sent: ids, counts and sums, far under 20 KB."""
    event = {"type": notice.type, "timestamp": _rfc3339(notice.at), "data": _data(job, notice)}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _data(job: str, notice: Notice) -> dict[str, Any]:
    counts = notice.counts
    pending = None if notice.items is None else notice.items - counts.terminal - notice.running
    data: dict[str, Any] = {
        "id": job,
        "name": notice.name,
        "state": notice.state,
        "items": {"total": notice.items, "pending": pending, "running": notice.running}
        | counts.model_dump(exclude={"images"}),
        "images": counts.images,
        "cost": {
            "settled_usd": format_usd(notice.settled_nano),
            "written_off_usd": format_usd(notice.written_off_nano),
            "committed_usd": format_usd(notice.committed_nano),
            "limit_usd": format_usd(notice.cap_nano),
        },
        "links": {name: f"/v1/jobs/{job}{path}" for name, path in _LINKS.items()},
    }
    if notice.hold:
        data["hold"] = _hold(notice.hold)
    if notice.failure:
        data["failure"] = {"code": notice.failure, "detail": explain(notice.failure)}
    if notice.type == "job.progress":
        data["percent"] = notice.number
    return data


_LINKS = {"self": "", "items": "/items", "results": "/results", "report": "/report"}


def _hold(hold: Hold) -> dict[str, Any]:
    sums = {"smallest_usd": hold.smallest_nano, "likely_usd": hold.likely_nano}
    times = {"since": hold.since, "next_probe": hold.next_probe, "until": hold.until}
    return {
        "code": hold.code,
        "detail": explain(hold.code),
        **{name: time and _rfc3339(time) for name, time in times.items()},
        **{name: None if nano is None else format_usd(nano) for name, nano in sums.items()},
    }


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
