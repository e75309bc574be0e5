"""Long tests that kill things: collected only by `make chaos`."""

import fcntl
import json
import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.tally import add_up, table, verdicts

KEPT = Path(__file__).parent / "kept_seeds.json"
"""Seeds that once failed, by test: they run first in every later run, until somebody takes them out."""


APART = ("test_seeds.py", "test_defects.py", "test_points.py")
"""Each test of these files is a run of its own."""


def pytest_configure(config: pytest.Config) -> None:
    """Choose the first seed once, for all processes that share the tests among them."""
    if not config.getoption("--first-seed"):
        config.option.first_seed = random.randrange(1, 10**6)


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if config.getoption("--chaos") else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that takes a seed runs with those kept, and then with as many as were asked for.

    The ids of the tests print them, so that a run can be repeated.
    """
    if "seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("--first-seed")
        count = metafunc.config.getoption("--seeds")
        seeds = [*kept().get(metafunc.function.__name__, []), *range(first, first + count)]
        metafunc.parametrize("seed", dict.fromkeys(seeds))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those kept come before all others; the tests of a file that share a stack stay in one process."""
    items.sort(key=lambda item: not _is_kept(item))
    for item in items:
        if item.path.name not in APART:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the seed of a test that fails."""
    report = yield
    seed = _seed(item)
    if report.failed and call.when == "call" and seed is not None:
        keep(_name(item), seed)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What all runs that were judged come to."""
    folder = config.getoption("--verdicts")
    if config.getoption("--chaos") and folder and (figures := add_up(verdicts([folder])))["runs"]:
        terminalreporter.section(f"verdicts in {folder}")
        terminalreporter.write_line(table(figures))


def kept() -> dict[str, list[int]]:
    """The kept seeds by the names of their tests."""
    if not KEPT.exists():
        return {}
    found: dict[str, list[int]] = json.loads(KEPT.read_text())
    return found


def keep(test: str, seed: int) -> None:
    """Add a seed, where it is not there yet; other processes may add theirs."""
    with _alone():
        known = kept()
        known[test] = sorted({*known.get(test, []), seed})
        new = KEPT.with_suffix(".new")
        new.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        new.replace(KEPT)


@contextmanager
def _alone() -> Iterator[None]:
    """No other process is in here."""
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_kept(item: pytest.Item) -> bool:
    return _seed(item) in kept().get(_name(item), [])


def _name(item: pytest.Item) -> str:
    return str(getattr(item, "originalname", item.name))


def _seed(item: pytest.Item) -> int | None:
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return parameters.get("seed")
