"""How fast a limit group goes, by what its workers have seen."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.pace import MARGIN, START, Pace, PoolNews, PoolState, Told, Trouble
from imagemill.domain.pool_messages import PoolStart, StatedLimits

T0 = datetime(2026, 11, 21, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def news(images: int = 0, *, worker: str = "w", calls: int | None = None, **said: object) -> PoolNews:
    seen = {"worker": worker, "calls": images if calls is None else calls, "images": images}
    return PoolNews.model_validate(seen | said)


def refusal(wait: float | None = None, over: str | None = "images", limit: int | None = None) -> PoolNews:
    return news(refused=1, told=Told(wait=wait, over=over, images_limit=limit))


def trouble(since: float, next_probe: float, code: str = "invalid_api_key") -> Trouble:
    return Trouble(code=code, since=at(since), next_probe=at(next_probe), wait=15)


def busy(state: PoolState, start: float, seconds: int) -> None:
    """Use the rate in full, and tell it every second, as the pool's workflow does."""
    for second in range(seconds):
        state.hear(news(max(1, round((state.rate or 0) / 60 + 0.5))), at(start + second))
        state.climb(at(start + second))


# --- before the first answer ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "tokens", "rate", "tokens_a_minute"),
    [
        (100, 5_000, 100 * MARGIN, 5_000),
        ("unlimited", "unlimited", None, None),
        (None, None, START, None),
        (1, None, MARGIN, None),
    ],
)
def test_it_starts_by_what_is_stated(
    images: int | Literal["unlimited"] | None,
    tokens: int | Literal["unlimited"] | None,
    rate: float | None,
    tokens_a_minute: int | None,
) -> None:
    start = PoolStart(pool="p", group="g", stated=StatedLimits(images=images, tokens=tokens))
    pace = start.pace(T0)

    assert pace == Pace(images_per_minute=rate, tokens_per_minute=tokens_a_minute)
    assert (start.queue, start.workflow_id) == ("images.p.g", "pool/p/g")


def test_a_start_with_a_state_goes_on_from_it() -> None:
    state = PoolState.of(40, None)
    state.hear(news(told=Told(images_limit=20)), T0)
    start = PoolStart(pool="p", group="g", stated=StatedLimits(images=40), state=state)

    assert start.pace(T0).images_per_minute == pytest.approx(20 * MARGIN)


@pytest.mark.parametrize(("images_a_call", "per_second"), [(1, 1.0), (10, 0.1), (2.5, 0.4), (0.2, 1.0)])
def test_the_queue_counts_calls_and_not_images(images_a_call: float, per_second: float) -> None:
    assert Pace(images_per_minute=60).dispatches_a_second(images_a_call) == pytest.approx(per_second)
    assert Pace().dispatches_a_second(images_a_call) is None


@pytest.mark.parametrize(
    ("pace", "tokens_a_call", "per_second"),
    [
        (Pace(images_per_minute=60, tokens_per_minute=6000), 1000, 0.1 * MARGIN),
        (Pace(images_per_minute=60, tokens_per_minute=6_000_000), 1000, 1.0),
        (Pace(tokens_per_minute=6000), 1000, 0.1 * MARGIN),
        (Pace(images_per_minute=60, tokens_per_minute=6000), 0, 1.0),
        (Pace(tokens_per_minute=6000), 0, None),
    ],
)
def test_the_queue_keeps_both_limits(pace: Pace, tokens_a_call: float, per_second: float | None) -> None:
    rate = pace.dispatches_a_second(1, tokens_a_call)

    assert rate == (None if per_second is None else pytest.approx(per_second))


def test_the_tokens_of_a_call_are_learnt() -> None:
    state = PoolState.of(100, 100_000)
    state.hear(news(10, tokens=5000), T0)
    assert state.tokens_a_call == 500
    for second in range(100):
        state.hear(news(10, tokens=20_000), at(second))

    assert state.tokens_a_call == pytest.approx(2000, abs=1)


def test_the_images_of_a_call_are_learnt() -> None:
    state = PoolState.of(100, None)
    for second in range(100):
        state.hear(news(40, calls=10), at(second))

    assert state.images_a_call == pytest.approx(4, abs=0.01)


# --- what answers tell ---------------------------------------------------------------------------


def test_a_limit_that_is_told_is_gone_by_at_once() -> None:
    state = PoolState.of(None, None)
    state.hear(news(1, told=Told(images_limit=250, tokens_limit=8_000)), T0)

    pace = state.pace(T0)
    assert pace.images_per_minute == pytest.approx(250 * MARGIN)
    assert pace.tokens_per_minute == 8_000
    assert not state.climbing


@pytest.mark.parametrize(("told", "goes_by"), [(20, 20), (50, 50), (500, 50)])
def test_of_stated_and_told_the_lower_counts(told: int, goes_by: int) -> None:
    state = PoolState.of(50, 50)
    state.hear(news(1, told=Told(images_limit=told, tokens_limit=told)), T0)

    assert state.rate == pytest.approx(goes_by * MARGIN)
    assert state.tokens == goes_by


def test_a_limit_that_was_raised_is_used_up_to_what_is_stated() -> None:
    state = PoolState.of(50, None)
    for told, goes_by in ((20, 20), (40, 40), (400, 50)):
        state.hear(news(1, told=Told(images_limit=told)), T0)
        assert state.rate == pytest.approx(goes_by * MARGIN)


def test_what_is_told_of_one_limit_leaves_the_other() -> None:
    state = PoolState.of(50, 900)
    state.hear(news(1, told=Told(images_left=3)), T0)

    assert (state.limit, state.tokens) == (50, 900)


NEWS = st.builds(
    lambda images, refused, wait, over, known: news(
        images,
        refused=refused,
        told=Told(images_limit=60 if known else None, wait=wait, over=over) if refused or known else None,
    ),
    st.integers(0, 200),
    st.integers(0, 3),
    st.none() | st.floats(0, 100),
    st.sampled_from([None, "images", "tokens"]),
    st.booleans(),
)


@given(st.sampled_from([60, 500, None]), st.lists(st.tuples(st.floats(0, 20), NEWS, st.booleans())))
def test_a_known_limit_is_never_exceeded(
    stated: int | None, story: list[tuple[float, PoolNews, bool]]
) -> None:
    state = PoolState.of(stated, None)
    state.hear(news(1, told=Told(images_limit=60)), T0)
    now = 0.0
    for passed, heard, climbs in story:
        now += passed
        state.hear(heard, at(now))
        if climbs:
            state.climb(at(now))

        assert state.rate
        assert 0 < state.rate <= 60 * MARGIN


# --- a 429 ---------------------------------------------------------------------------------------


def test_a_429_lowers_at_most_once_a_period() -> None:
    state = PoolState.of(100, None)
    state.hear(news(1), T0)
    rates = []
    for second in (5, 6, 7, 9.9, 10, 14):
        state.hear(refusal(), at(second))
        rates.append(state.rate)

    once, twice = pytest.approx(100 * MARGIN * 0.9), pytest.approx(100 * MARGIN * 0.9 * 0.9)
    assert rates == [once, once, once, once, twice, twice]


def test_a_429_between_two_changes_is_heard() -> None:
    # Nothing is known of the limit; the only word against the rate comes 2 s after the rate was changed.
    state = PoolState.of(None, None)
    state.hear(news(1), T0)
    state.hear(refusal(), at(5))
    before = state.rate
    state.hear(news(50), at(6))
    state.hear(refusal(), at(7))
    state.hear(news(50), at(10))
    state.climb(at(10))

    assert state.rate
    assert before
    assert state.rate <= before


def test_a_known_limit_is_not_lowered_below_its_half() -> None:
    state = PoolState.of(100, None)
    for period in range(50):
        state.hear(refusal(), at(6 * period))

    assert state.rate == 50


def test_an_unknown_limit_is_not_lowered_below_an_image_a_minute() -> None:
    state = PoolState.of(None, None)
    for period in range(50):
        state.hear(refusal(), at(6 * period))

    assert state.rate == 1


def test_a_429_of_the_tokens_pauses_and_lowers_no_images() -> None:
    state = PoolState.of(100, None)
    state.hear(news(1), T0)
    state.hear(refusal(3, over="tokens"), at(20))

    assert state.rate == pytest.approx(100 * MARGIN)
    assert state.pace(at(20)).paused_until == at(23)


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0.001, 3600)), min_size=1, max_size=10))
def test_it_pauses_exactly_as_long_as_told(refusals: list[tuple[float, float]]) -> None:
    state = PoolState.of(None, None)
    now, until = 0.0, T0
    for passed, wait in refusals:
        now += passed
        state.hear(refusal(wait), at(now))
        until = max(until, at(now) + timedelta(seconds=wait))

        assert state.pace(at(now)).paused_until in (until, None if until <= at(now) else until)
    assert state.pace(until - timedelta(microseconds=1)).paused_until == until
    assert state.pace(until).paused_until is None


def test_what_was_unlimited_is_limited_by_what_was_asked_for() -> None:
    state = PoolState.of("unlimited", None)
    state.hear(news(100), T0)
    state.hear(news(100, refused=1, told=Told(wait=1)), at(10))

    assert state.rate == pytest.approx(200 * 6 * 0.7)


# --- climbing ------------------------------------------------------------------------------------


def test_an_unknown_limit_is_climbed_to_by_doubling() -> None:
    state = PoolState.of(None, None)
    busy(state, 0, 16)

    assert state.rate == START * 8


def test_after_a_429_an_unknown_limit_is_climbed_to_in_small_steps() -> None:
    state = PoolState.of(None, None)
    state.hear(refusal(), T0)
    lowered = START * 0.7
    assert state.rate == pytest.approx(lowered)
    busy(state, 1, 5)

    assert state.rate == pytest.approx(lowered + max(1, 0.05 * lowered))


def test_who_does_not_use_the_rate_does_not_climb() -> None:
    state = PoolState.of(None, None)
    for second in range(0, 120, 6):
        state.hear(news(1), at(second))
        state.climb(at(second))

    assert state.rate == START


@pytest.mark.parametrize("seconds", [0, 1, 4.9])
def test_it_climbs_once_a_period(seconds: float) -> None:
    state = PoolState.of(None, None)
    state.hear(news(100), T0)
    state.climb(at(seconds))
    assert state.rate == START

    state.climb(at(5))
    state.hear(news(100), at(6))
    state.climb(at(6))
    assert state.rate == START * 2


def test_it_recovers_to_the_known_limit() -> None:
    state = PoolState.of(100, None)
    state.hear(refusal(), T0)
    state.hear(refusal(), at(5))
    lowered = state.rate
    assert lowered
    busy(state, 6, 6)
    assert lowered < (state.rate or 0) < 100 * MARGIN
    busy(state, 12, 120)

    assert state.rate == 100 * MARGIN


def test_what_is_unlimited_stays_so() -> None:
    state = PoolState.of("unlimited", None)
    busy(state, 0, 30)

    assert state.rate is None


# --- workers and trouble -------------------------------------------------------------------------


def test_workers_that_fall_silent_are_not_counted() -> None:
    state = PoolState.of(100, None)
    assert state.pace(T0).workers == 1
    for name, second in (("a", 0), ("b", 10), ("c", 20), ("a", 30)):
        state.hear(news(worker=name), at(second))

    counts = [state.pace(at(second)).workers for second in (30, 69, 70, 80, 89, 90, 900)]
    assert counts == [3, 3, 2, 1, 1, 1, 1]
    state.hear(news(worker="d"), at(900))
    assert set(state.seen) == {"d"}


def test_trouble_lasts_until_a_call_succeeds() -> None:
    state = PoolState.of(100, None)
    state.hear(news(trouble=trouble(0, 15)), T0)
    assert state.pace(at(4000)).trouble == trouble(0, 15)

    state.hear(news(5), at(5))
    assert state.trouble
    state.hear(news(mended=True), at(6))
    assert state.pace(at(6)).trouble is None


def test_of_two_troubles_the_one_that_is_tried_later_counts() -> None:
    state = PoolState.of(100, None)
    ask: Callable[[], Trouble | None] = lambda: state.trouble  # noqa: E731
    for heard, counts in ((15, 15), (45, 45), (20, 45)):
        state.hear(news(trouble=trouble(0, heard)), T0)
        assert ask() == trouble(0, counts)
