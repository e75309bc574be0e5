"""The pace of a job, and what it could have been, by the provider's ledger."""

import pytest

from benchmarks.workers import ideal, rate


def ledger(images: int, every: float, seconds: float) -> list[dict[str, object]]:
    """So many calls, one answered each so often, each of which took so long."""
    billed = [
        {"event": "billed", "time": n * every - seconds, "request_id": f"r{n}", "images": 1}
        for n in range(images)
    ]
    answered = [{"event": "answered", "time": n * every, "request_id": f"r{n}"} for n in range(images)]
    return [*billed, *answered, {"event": "refused", "time": 0.0, "request_id": "none"}]


def test_the_pace_is_that_of_the_middle() -> None:
    entries = ledger(100, 0.5, 4.0)
    slow_end = {"event": "answered", "time": 900.0, "request_id": "r99"}

    assert rate([*entries[:-2], slow_end]) == pytest.approx(2.0)


def test_the_ideal_is_every_place_always_taken() -> None:
    assert ideal(ledger(100, 0.5, 4.0), 16) == pytest.approx(4.0)
