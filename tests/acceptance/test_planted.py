"""A checker that finds nothing proves nothing, unless it finds what was planted.

Some defects at once; `make chaos` plants each of them, and more, alone.
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.planted import objections, provoked
from tests.chaos.playing import Played, play

NAMES = (
    "sdk-retries",
    "cap-after-call",
    "dropped-result",
    "swapped-images",
    "early-webhook",
)
"""Each has a job of its own, which has to be objected to."""


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[dict[bool, "Future[Played]"]]:
    """A run with the defects and the same without, side by side."""
    folder, root = tmp_path_factory.mktemp("planted"), pytestconfig.getoption("--evidence")
    with ThreadPoolExecutor(2) as pool:
        yield {planted: pool.submit(play, root, written(folder, planted)) for planted in (True, False)}


def written(folder: Path, planted: bool) -> Path:
    path = folder / f"{'planted' if planted else 'honest'}.json"
    path.write_text(json.dumps(provoked(NAMES, planted=planted).as_json()))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_the_checker_objects_to_a_planted_defect(name: str, runs: dict[bool, "Future[Played]"]) -> None:
    played = runs[True].result()
    assert played.status == 1, played.complaint
    assert objections(played.folder, name), played.complaint


def test_the_checker_objects_to_nothing_where_nothing_is_planted(runs: dict[bool, "Future[Played]"]) -> None:
    played = runs[False].result()
    assert played.complaint is None, played.complaint
    played.tidy(None)
