"""A few runs of everything that can break, with seeds that cover its kinds; `make chaos` has more.

All that are kept as regression cases run here too.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.chaos.playing import Played, kept_scenarios, play

SEEDS = (1, 2, 3)
AT_ONCE = 2

Runs = dict[str, "Future[Played]"]


@pytest.fixture(scope="module")
def runs(pytestconfig: pytest.Config) -> Iterator[Runs]:
    """All runs, some at once: much of their time is spent waiting."""
    root = pytestconfig.getoption("--evidence")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun: Runs = {path.stem: pool.submit(play, root, path) for path in kept_scenarios()}
        begun |= {str(seed): pool.submit(play, root, seed) for seed in SEEDS}
        yield begun
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", [*(path.stem for path in kept_scenarios()), *map(str, SEEDS)])
def test_no_promise_is_broken_whatever_breaks(name: str, runs: Runs) -> None:
    played = runs[name].result()
    complaint = played.complaint
    played.tidy(None)
    if complaint:
        pytest.fail(complaint, pytrace=False)
