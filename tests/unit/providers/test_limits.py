"""What answers say of the provider's limits."""

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemill.domain.pace import Told
from imagemill.providers.limits import LONGEST_WAIT, duration, never_fits, read_told, retry_after

IMAGES = {
    "x-ratelimit-limit-input-images": "50",
    "x-ratelimit-remaining-input-images": "49",
    "x-ratelimit-reset-input-images": "1.2s",
}
REQUESTS = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
}
TOKENS = {
    "x-ratelimit-limit-tokens": "250000",
    "x-ratelimit-remaining-tokens": "249000",
    "x-ratelimit-reset-tokens": "6m0s",
}
OVER_IMAGES = (
    "Rate limit reached for gpt-image-2 in organization org-1 on input-images per min: "
    "Limit 5, Used 4, Requested 2. Please try again in 12s. Visit https://example to learn more."
)
OVER_TOKENS = (
    "Rate limit reached for gpt-image-2 in organization org-1 on tokens per min (TPM): "
    "Limit 200000, Used 200000, Requested 775. Please try again in 232ms."
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120ms", 0.12),
        ("58.891s", 58.891),
        ("1m30s", 90),
        ("6m0s", 360),
        ("12s.", 12),
        ("1.5m", 90),
        ("1h", 3600),
        ("2 minutes", 120),
        ("6 seconds", 6),
        ("1 min 5 secs, please", 65),
        ("300 milliseconds", 0.3),
        ("100h", LONGEST_WAIT),
        ("soon", None),
        ("5 months", None),
        ("5", None),
        ("", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, "try again in 12s", 1.5),
        ({"retry-after": "9"}, "try again in 12s", 9),
        ({"retry-after-ms": "soon", "retry-after": "9"}, "", 9),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "try again in 12s", 12),
        ({}, "Limit 5, Used 5, Requested 1. Please try again in 1m30s.", 90),
        ({}, "Please retry after 6 seconds.", 6),
        ({}, "slow down", None),
        ({"retry-after": "-5"}, "", 0),
        *(({"retry-after": wait}, "", LONGEST_WAIT) for wait in ("1790000000", "inf", "nan", "1e400")),
    ],
)
def test_when_to_come_again(headers: dict[str, str], message: str, seconds: float | None) -> None:
    assert retry_after(httpx2.Headers(headers), message) == seconds


@pytest.mark.parametrize(
    ("headers", "message", "status", "told"),
    [
        ({}, "", 200, None),
        ({"content-type": "image/png"}, OVER_IMAGES, 200, None),
        (IMAGES, "", 200, Told(images_limit=50, images_left=49, images_reset=1.2)),
        (REQUESTS, "", 200, Told(images_limit=500, images_left=499, images_reset=0.12)),
        (IMAGES | REQUESTS, "", 200, Told(images_limit=50, images_left=49, images_reset=1.2)),
        (TOKENS, "", 200, Told(tokens_limit=250_000, tokens_left=249_000, tokens_reset=360)),
        ({}, OVER_IMAGES, 429, Told(images_limit=5, images_left=1, wait=12, over="images")),
        (REQUESTS, OVER_IMAGES, 429, Told(images_limit=5, images_left=1, wait=12, over="images")),
        (
            IMAGES,
            OVER_IMAGES,
            429,
            Told(images_limit=50, images_left=49, images_reset=1.2, wait=12, over="images"),
        ),
        ({}, OVER_TOKENS, 429, Told(tokens_limit=200_000, tokens_left=0, wait=0.232, over="tokens")),
        (
            TOKENS | {"retry-after": "3"},
            OVER_TOKENS,
            429,
            Told(tokens_limit=250_000, tokens_left=249_000, tokens_reset=360, wait=3, over="tokens"),
        ),
        ({}, "Limit 5, Used 5, Requested 1. Please try again in 12s", 429, Told(wait=12)),
        (
            {},
            "reached on requests per min. Limit: 60.000000 / min. Current: 100.000000 / min",
            429,
            Told(images_limit=60, images_left=0, over="images"),
        ),
        (
            {},
            "reached on requests per day (RPD): Limit 200, Used 200. Please try again in 7m12s.",
            429,
            Told(wait=432, over="images"),
        ),
        ({"retry-after": "7"}, "", 503, None),
    ],
)
def test_what_is_told(headers: dict[str, str], message: str, status: int, told: Told | None) -> None:
    assert read_told(httpx2.Headers(headers), message, status) == told


@pytest.mark.parametrize("limit", ["-1", "0", "unlimited", "", "5, 5", "1e9", "99999999999", "\u0665", "nan"])
def test_what_is_no_number_of_images_is_no_limit(limit: str) -> None:
    headers = httpx2.Headers([(b"x-ratelimit-limit-tokens", limit.encode())])

    assert read_told(headers, "", 200) is None


def test_more_is_never_left_than_the_limit() -> None:
    headers = IMAGES | {"x-ratelimit-remaining-input-images": "5000"}

    told = read_told(httpx2.Headers(headers), "", 200)
    assert told
    assert told.images_left == 50


@pytest.mark.parametrize(
    ("message", "never"),
    [
        ("Limit 5, Requested 10.", True),
        ("Limit: 100,000. Requested: 250,000", True),
        (OVER_IMAGES, False),
        ("Limit 5, Requested 5", False),
        ("Requested 5", False),
        ("", False),
    ],
)
def test_a_request_above_the_limit_never_fits(message: str, never: bool) -> None:
    assert never_fits(message) == never


HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(
    st.dictionaries(st.sampled_from([*IMAGES, *REQUESTS, *TOKENS, "retry-after", "retry-after-ms"]), HEADER),
    st.text(max_size=100) | st.from_regex(r"on tokens per min: Limit \d+, Used \d+.*try again in .*"),
    st.sampled_from([200, 400, 429, 500]),
)
def test_whatever_is_said_stays_within_bounds(headers: dict[str, str], message: str, status: int) -> None:
    told = read_told(httpx2.Headers(headers), message, status) or Told()

    for seconds in (told.wait, told.images_reset, told.tokens_reset):
        assert seconds is None or 0 <= seconds <= LONGEST_WAIT
    for limit in (told.images_limit, told.tokens_limit):
        assert limit is None or 1 <= limit <= 10**10
    for left in (told.images_left, told.tokens_left):
        assert left is None or left >= 0
