from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.image_api import catalog, order, throttling
from sandbox.image_api.errors import ApiError
from sandbox.image_api.limits import Limits, Minutes

CATALOG = catalog.load()
# A low image of gpt-image-2 for a prompt of one letter: 7 tokens in, 196 out.
TOKENS = 203


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def images(n: int, model: str = "gpt-image-2") -> order.Order:
    return order.read({"prompt": "x", "model": model, "n": n, "quality": "low"}, CATALOG)


def minutes(clock: Clock | None = None, *, headers: bool = True, **limits: Any) -> Minutes:
    return Minutes(Limits(**limits), clock or Clock(), headers=headers)


def test_a_minute_holds_so_many_images_and_refills() -> None:
    clock = Clock()
    limit = minutes(clock, images_per_minute=5)
    assert limit.take(images(4))["x-ratelimit-remaining-input-images"] == "1"
    with pytest.raises(ApiError) as refusal:
        limit.take(images(2))
    error = refusal.value
    assert (error.status, error.type, error.code) == (429, "input-images", "rate_limit_exceeded")
    assert "input-images per min: Limit 5, Used 4, Requested 2. Please try again in 12s" in error.message
    assert dict(error.headers) == {
        "retry-after-ms": "12000",
        "retry-after": "12",
        "x-ratelimit-limit-input-images": "5",
        "x-ratelimit-remaining-input-images": "1",
        "x-ratelimit-reset-input-images": "48s",
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": "12s",
    }
    clock.now += 12
    assert limit.take(images(2))["x-ratelimit-remaining-input-images"] == "0"


def test_a_minute_holds_so_many_tokens_and_refills() -> None:
    clock = Clock()
    limit = minutes(clock, tokens_per_minute=2 * TOKENS)
    headers = limit.take(images(1))
    assert headers == {
        "x-ratelimit-limit-tokens": str(2 * TOKENS),
        "x-ratelimit-remaining-tokens": str(TOKENS),
        "x-ratelimit-reset-tokens": "30s",
    }
    limit.take(images(1))
    with pytest.raises(ApiError) as refusal:
        limit.take(images(1))
    error = refusal.value
    assert (error.status, error.type, error.code) == (429, "tokens", "rate_limit_exceeded")
    assert (
        f"tokens per min (TPM): Limit {2 * TOKENS}, Used {2 * TOKENS}, Requested {TOKENS}." in error.message
    )
    assert error.headers["retry-after-ms"] == "30000"
    clock.now += 30
    limit.take(images(1))


def test_what_one_limit_refuses_takes_nothing_off_the_other() -> None:
    limit = minutes(images_per_minute=5, tokens_per_minute=TOKENS + 1)
    with pytest.raises(ApiError, match="tokens per min"):
        limit.take(images(2))
    assert limit.take(images(1))["x-ratelimit-remaining-input-images"] == "4"


def test_models_have_their_own_minutes() -> None:
    limit = minutes(images_per_minute=1)
    limit.take(images(1))
    limit.take(images(1, "gpt-image-2.5-flare"))
    with pytest.raises(ApiError):
        limit.take(images(1))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"images_per_minute": 5}, "input-images per min: Limit 5, Requested 6"),
        ({"tokens_per_minute": 1000}, f"tokens per min (TPM): Limit 1000, Requested {7 + 6 * 196}"),
    ],
)
def test_more_than_the_limit_never_succeeds(limits: dict[str, Any], said: str) -> None:
    with pytest.raises(ApiError, match="Request too large") as refusal:
        minutes(**limits).take(images(6))
    assert said in refusal.value.message
    assert "retry-after" not in refusal.value.headers


def test_no_limit_has_no_headers() -> None:
    assert minutes().take(images(10)) == {}


def test_limits_hold_without_headers() -> None:
    limit = minutes(headers=False, images_per_minute=1, tokens_per_minute=1000)
    assert limit.take(images(1)) == {}
    with pytest.raises(ApiError, match="try again in") as refusal:
        limit.take(images(1))
    assert not refusal.value.headers


def test_limits_can_change() -> None:
    limit = minutes(images_per_minute=10)
    limit.take(images(4))
    limit.limits = Limits(images_per_minute=2)
    assert limit.take(images(2))["x-ratelimit-limit-input-images"] == "2"
    limit.limits = Limits()
    assert limit.take(images(10)) == {}


@given(
    per_minute=st.integers(1, 60),
    calls=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 10)), max_size=60),
)
def test_no_minute_and_a_full_bucket_admit_more_than_they_hold(
    per_minute: int, calls: list[tuple[float, int]]
) -> None:
    clock = Clock()
    limit = minutes(clock, images_per_minute=per_minute)
    started, admitted = clock.now, 0
    for pause, n in calls:
        clock.now += pause
        try:
            limit.take(images(n))
        except ApiError as error:
            wait = float(error.headers.get("retry-after-ms", 0)) / 1000
            assert n > per_minute or 0 < wait <= n * 60 / per_minute + 0.001
        else:
            admitted += n
    assert admitted <= per_minute + (clock.now - started) * per_minute / 60 + 1e-6


@pytest.mark.parametrize("tier", [1, 2, 3, 4, 5])
def test_tiers_grow(tier: int) -> None:
    rate, below = CATALOG.tiers[tier], CATALOG.tiers.get(tier - 1)
    assert below is None or (below.images < rate.images and below.tokens < rate.tokens)


@pytest.mark.parametrize(("seconds", "text"), [(0.12, "120ms"), (12.0, "12s"), (58.891, "58.891s")])
def test_waits_are_spelled_like_the_providers(seconds: float, text: str) -> None:
    assert throttling.spell(seconds) == text
