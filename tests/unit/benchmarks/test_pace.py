"""The pace of a job against the provider's limit."""

import pytest

from benchmarks.pace import LIMIT, WARM_UP, judge


def test_after_warm_up_the_time_is_compared_with_that_of_the_limit() -> None:
    every = 60 / LIMIT
    warm = round(WARM_UP / every) + 1
    entries = [{"event": "answered", "time": number * every} for number in range(warm)]
    entries += [{"event": "answered", "time": WARM_UP + number * every * 1.25} for number in range(1, 101)]

    told = judge({"entries": entries, "refused": {"429": warm + 100}})

    assert (told.warm, told.rest) == (warm, 100)
    assert told.ratio == pytest.approx(1.25)
    assert told.share == 0.5
