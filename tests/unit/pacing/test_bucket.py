"""What is left of a limit by the minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.pacing.bucket import Bucket

T = 1_790_000_000.0


def bucket(limit: float = 60, workers: int = 1) -> Bucket:
    made = Bucket()
    made.set_limit(limit, workers, T)
    return made


def test_without_a_limit_nothing_waits() -> None:
    made = Bucket()
    made.take(10**9, T)
    made.tell(0, T, T)
    made.empty(1, 60, T)

    assert made.wait_for(10**9, T) == 0


def test_it_begins_full_and_refills_evenly() -> None:
    made = bucket(60)
    assert made.wait_for(60, T) == 0
    made.take(60, T)

    assert made.wait_for(1, T) == pytest.approx(1)
    assert made.wait_for(10, T + 4) == pytest.approx(6)
    assert made.wait_for(10, T + 10) == 0


def test_it_never_holds_more_than_a_minute() -> None:
    made = bucket(60)
    made.take(60, T + 3600)

    assert made.wait_for(1, T + 3600) == pytest.approx(1)


def test_an_amount_above_the_limit_waits_for_all_of_it() -> None:
    made = bucket(5)
    assert made.wait_for(10, T) == 0
    made.take(10, T)

    assert made.wait_for(10, T) == pytest.approx(120)


def test_a_worker_counts_on_its_share() -> None:
    made = bucket(60, workers=3)
    made.take(20, T)

    assert made.wait_for(1, T) == pytest.approx(3)


def test_a_lower_limit_counts_at_once_and_a_higher_one_by_and_by() -> None:
    made = bucket(60)
    made.set_limit(6, 1, T)
    made.take(6, T)
    assert made.wait_for(1, T) == pytest.approx(10)
    made.set_limit(60, 1, T)
    assert made.wait_for(1, T) == pytest.approx(1)


def test_what_is_told_counts_from_when_the_call_was_sent() -> None:
    made = bucket(60)
    made.take(1, T)
    made.take(5, T + 2)
    made.tell(10, T, T + 10)

    # 10 were left at T, 9 have come since it arrived there, and 5 were sent after it.
    assert made.wait_for(14, T + 10) == pytest.approx(0, abs=1e-6)
    assert made.wait_for(15, T + 10) == pytest.approx(1)


def test_an_older_call_is_not_believed_over_a_newer_one() -> None:
    made = bucket(60)
    made.tell(0, T + 5, T + 5)
    made.tell(60, T, T + 5)

    assert made.wait_for(1, T + 5) == pytest.approx(1)


def test_what_was_refused_is_there_after_the_told_wait_and_no_more() -> None:
    made = bucket(60)
    made.empty(4, 12, T)

    assert made.wait_for(4, T) == pytest.approx(12)
    assert made.wait_for(4, T + 12) == pytest.approx(0, abs=1e-6)
    assert made.wait_for(8, T + 12) == pytest.approx(4)


@given(
    st.floats(1, 1e7),
    st.integers(1, 5),
    st.lists(
        st.tuples(st.sampled_from(["take", "tell", "empty", "limit"]), st.floats(0, 100), st.floats(0, 1))
    ),
)
def test_it_always_comes_round(limit: float, workers: int, story: list[tuple[str, float, float]]) -> None:
    made, now = bucket(limit, workers), T
    for what, passed, share in story:
        now += passed
        if what == "take":
            now += made.wait_for(share * limit, now)
            made.take(share * limit, now)
        elif what == "tell":
            made.tell(share * limit, now - passed, now)
        elif what == "empty":
            made.empty(share * limit, share * 60, now)
        else:
            made.set_limit(limit, workers, now)
        wait = made.wait_for(limit, now)
        assert wait >= 0
        assert made.wait_for(limit, now + wait + 0.01) == pytest.approx(0, abs=0.02 * workers)
