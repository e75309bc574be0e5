"""How far a job was when: samples, and the drawing made of them; and values in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.models import CostAnswer, HoldAnswer, ItemCounts, JobAnswer
from dashboard.samples import MOST_SAMPLES, Samples
from dashboard.standing import money_pieces, suggested_cap
from dashboard.timeline import timeline
from dashboard.words import ago, duration, money, percent

BEGAN = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def job(id_: str = "job_1", *, total: int = 100, **counts: int) -> JobAnswer:
    states = ("succeeded", "blocked", "failed", "skipped", "cancelled")
    said = {state: counts.get(state, 0) for state in states}
    items = ItemCounts.model_validate({"total": total, "pending": 0, "running": 0, "reused": 0} | said)
    known: dict[str, Any] = {"id": id_, "items": items, "started_at": BEGAN, "ended_at": None}
    return JobAnswer.model_construct(**known)


def cost(settled: str = "0", written: str = "0", reserved: str = "0", limit: str = "10") -> CostAnswer:
    return CostAnswer(
        settled_usd=settled,
        written_off_usd=written,
        reserved_usd=reserved,
        committed_usd=settled,
        limit_usd=limit,
    )


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


# --- samples -------------------------------------------------------------------------------------


def test_a_job_that_stands_still_takes_two_samples() -> None:
    samples = Samples()
    for second in range(50):
        known = samples.take("t", job(succeeded=5), after(second))
    assert [sample.at for sample in known] == [after(0), after(49)]


def test_of_many_samples_some_are_forgotten_and_never_the_ends() -> None:
    samples = Samples()
    for second in range(1000):
        known = samples.take("t", job(total=1000, succeeded=second), after(second))
        assert len(known) <= MOST_SAMPLES + 1
    assert (known[0].done, known[-1].done) == (0, 999)
    assert [sample.at for sample in known] == sorted(sample.at for sample in known)


def test_of_many_jobs_those_are_kept_that_were_looked_at_last() -> None:
    samples = Samples(most_jobs=2)
    for name in ("a", "b", "a", "c"):
        samples.take("t", job(name, succeeded=1), after(1))
    assert len(samples.take("t", job("a", succeeded=2), after(2))) == 2
    assert len(samples.take("t", job("b", succeeded=2), after(2))) == 1


def test_a_tenant_s_samples_are_its_own() -> None:
    samples = Samples()
    samples.take("t", job(succeeded=1), after(1))
    assert len(samples.take("other", job(succeeded=2), after(2))) == 1


# --- the drawing ---------------------------------------------------------------------------------


def test_states_lie_upon_each_other() -> None:
    samples = Samples()
    samples.take("t", job(), after(0))
    known = samples.take("t", job(succeeded=50, failed=50), after(10))
    drawn = timeline(job(succeeded=50, failed=50), known)

    assert drawn
    assert [state for state, _ in drawn.areas] == ["succeeded", "failed"]
    assert drawn.areas[0][1].split()[-1] == "0.0,160.0"
    assert "1000.0,80.0" in drawn.areas[0][1]
    assert "1000.0,0.0" in drawn.areas[1][1]
    assert drawn.watched is None


def test_it_says_from_when_on_the_job_was_watched() -> None:
    samples = Samples()
    samples.take("t", job(succeeded=40), after(60))
    drawn = timeline(job(succeeded=60), samples.take("t", job(succeeded=60), after(90)))

    assert drawn
    assert drawn.watched == after(60)
    assert drawn.watched_x == pytest.approx(1000 * 60 / 90, abs=0.1)


def test_nothing_is_drawn_of_what_was_not_watched() -> None:
    samples = Samples()
    assert timeline(job(succeeded=5), samples.take("t", job(succeeded=5), after(5))) is None
    assert timeline(job(), []) is None


# --- money ---------------------------------------------------------------------------------------


def test_the_parts_of_the_money_are_the_cap() -> None:
    pieces = money_pieces(cost("3", "1", "2"))
    assert [(kind, size) for kind, _, size, _ in pieces] == [
        ("settled", 3), ("written", 1), ("reserved", 2), ("rest", 4)
    ]  # fmt: skip


def test_what_is_above_the_cap_leaves_nothing() -> None:
    assert money_pieces(cost("12"))[-1][2] == 0


@pytest.mark.parametrize(
    ("smallest", "likely", "cap"),
    [
        ("0.005", "1.234500001", "11.24"),
        ("0.5", None, "10.50"),
        ("0.5", "0.1", "10.50"),
        (None, None, "10.00"),
    ],
)
def test_the_cap_that_is_suggested_is_enough(smallest: str | None, likely: str | None, cap: str) -> None:
    hold = HoldAnswer(
        code="budget",
        detail="",
        since=BEGAN,
        next_probe=None,
        smallest_usd=smallest,
        likely_usd=likely,
        until=None,
    )
    assert suggested_cap(hold, cost()) == cap
    assert suggested_cap(hold.model_copy(update={"code": "tenant_budget"}), cost()) is None


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usd", "said"),
    [("1234.5", "$1,234.50"), ("0", "$0.00"), ("0.0053", "$0.0053"), ("0.000000001", "$0.000000001"),
     ("-1", "-$1.00"), (None, "—"), ("0.015", "$0.02")],
)  # fmt: skip
def test_money_in_words(usd: str | None, said: str) -> None:
    assert money(usd) == said


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_what_is_not_whole_is_not_said_to_be(part: int, whole: int) -> None:
    assert (percent(part, whole) == "100%") == (part >= whole)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.6, "1 min"), (3661, "1 h 1 min"), (90061, "1 d 1 h"), (None, "—"), (7200, "2 h")],
)
def test_durations_in_words(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3, "just now"), (-3, "just now"), (65, "1 minute ago"), (7300, "2 hours ago"), (-7300, "in 2 hours"),
     (3 * 86400 + 5, "3 days ago"), (800 * 86400, "2 years ago")],
)  # fmt: skip
def test_times_in_words(seconds: int, said: str) -> None:
    assert ago(datetime.now(UTC) - timedelta(seconds=seconds)) == said
