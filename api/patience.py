"""When a poll is worth it: what ``Retry-After`` says."""

from datetime import UTC, datetime
from typing import Any

from api.snapshots import Snapshot, read_facts
from imagemill.domain.item import TERMINAL

SHORTEST, LONGEST = 1, 30
STILL = 60
"""Seconds for a job that stands until somebody does something about it."""


def patience(snapshot: Snapshot) -> int | None:
    """Seconds until something may have changed that is worth a poll; None: nothing will any more.

    A twentieth of what is left at the job's rate, between 1 and 30; for a job that is held until its next
    probe, or a minute where it waits for a person.
    """
    facts = snapshot.facts
    if snapshot.ended:
        return None
    chunks = [read_facts(chunk) for chunk in snapshot.chunks]
    holds = [hold for each in (facts, *chunks) if (hold := each.get("hold"))]
    if facts["state"] == "paused" or (facts["state"] == "held" and holds):
        return _until_probe(holds)
    return int(min(LONGEST, max(SHORTEST, _seconds_left(facts, chunks) / 20)))


def _until_probe(holds: list[dict[str, Any]]) -> int:
    probe = min(
        (time for hold in holds if (time := hold.get("next_probe") or hold.get("until"))), default=None
    )
    if probe is None:
        return STILL
    away = (datetime.fromisoformat(probe) - datetime.now(UTC)).total_seconds()
    return int(min(STILL, max(SHORTEST, away)))


def _seconds_left(facts: dict[str, Any], chunks: list[dict[str, Any]]) -> float:
    """At the pace so far; 0 where there is none yet."""
    ended = _ended(facts["ended"]) + sum(_ended(chunk) for chunk in chunks)
    if not ended or not facts.get("items") or not facts.get("started_at"):
        return 0.0
    elapsed = (datetime.now(UTC) - datetime.fromisoformat(facts["started_at"])).total_seconds()
    return elapsed / ended * float(facts["items"] - ended)


def _ended(progress: dict[str, Any]) -> int:
    counts = progress["counts"]
    return sum(counts[name] for name in TERMINAL)
