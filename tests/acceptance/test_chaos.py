"""A few runs of everything that can break, which cover its kinds; `make chaos` has more.

All that are kept as regression cases run here too.
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.playing import Played, kept_scenarios, play
from tests.chaos.stories import tell
from tests.chaos.troubles import STORIES

COVER = (
    ("kills", "provider", "clocks", "sink"),
    ("cuts", "storm", "account", "deploys"),
    ("points", "slowness", "freezes", "full disk"),
)
AT_ONCE = 2


def scenarios(folder: Path) -> Iterator[Path]:
    """Those that are kept, and one for each line of what is to be covered."""
    yield from kept_scenarios()
    for seed, stories in enumerate(COVER, start=1):
        path = folder / f"{'-'.join(stories).replace(' ', '-')}.json"
        path.write_text(json.dumps(tell(seed, stories).as_json()))
        yield path


@pytest.fixture(scope="module")
def begun(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Future[Played]]]:
    """All runs, some at once: much of their time is spent waiting."""
    root = pytestconfig.getoption("--evidence")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield [pool.submit(play, root, path) for path in scenarios(tmp_path_factory.mktemp("scenarios"))]
        pool.shutdown(cancel_futures=True)


def names() -> list[str]:
    return [*(path.stem for path in kept_scenarios()), *(" + ".join(stories) for stories in COVER)]


@pytest.mark.parametrize("number", range(len(names())), ids=names())
def test_no_promise_is_broken_whatever_breaks(number: int, begun: list[Future[Played]]) -> None:
    played = begun[number].result()
    complaint = played.complaint
    played.tidy(None)
    if complaint:
        pytest.fail(complaint, pytrace=False)


def test_the_runs_cover_what_chaos_knows() -> None:
    rare = {"crash of all workers", "a backend is away"}
    assert {story for stories in COVER for story in stories} == STORIES.keys() - rare
