import pytest

from sandbox.image_api import catalog, errors, order
from sandbox.image_api.errors import ApiError
from sandbox.image_api.limits import ImageLimit

CATALOG = catalog.load()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def images(n: int, model: str = "gpt-image-2") -> order.Order:
    return order.read({"prompt": "x", "model": model, "n": n}, CATALOG)


def test_a_minute_holds_so_many_images_and_refills() -> None:
    clock = Clock()
    limit = ImageLimit(5, clock)
    assert limit.take(images(4))["x-ratelimit-remaining-input-images"] == "1"
    with pytest.raises(ApiError) as refusal:
        limit.take(images(2))
    error = refusal.value
    assert (error.status, error.code) == (429, "rate_limit_exceeded")
    assert "Limit 5, Used 4, Requested 2. Please try again in 12s" in error.message
    assert dict(error.headers) == {
        "retry-after-ms": "12000",
        "retry-after": "12",
        "x-ratelimit-limit-input-images": "5",
        "x-ratelimit-remaining-input-images": "1",
        "x-ratelimit-reset-input-images": "48s",
    }
    clock.now += 12
    assert limit.take(images(2))["x-ratelimit-remaining-input-images"] == "0"


def test_models_have_their_own_minutes() -> None:
    limit = ImageLimit(1, Clock())
    limit.take(images(1))
    limit.take(images(1, "gpt-image-2.5-flare"))
    with pytest.raises(ApiError):
        limit.take(images(1))


def test_more_than_the_limit_never_succeeds() -> None:
    with pytest.raises(ApiError, match="Request too large") as refusal:
        ImageLimit(5, Clock()).take(images(6))
    assert "Limit 5, Requested 6" in refusal.value.message
    assert "retry-after" not in refusal.value.headers


def test_no_limit_has_no_headers() -> None:
    assert ImageLimit(None).take(images(10)) == {}


@pytest.mark.parametrize(("seconds", "text"), [(0.12, "120ms"), (12.0, "12s"), (58.891, "58.891s")])
def test_waits_are_spelled_like_the_providers(seconds: float, text: str) -> None:
    assert errors.spell(seconds) == text
