"""Everything that can break, by chance: each seed is a run of its own, judged by what it left behind."""

from pathlib import Path

import pytest

from tests.chaos.playing import kept_scenarios, play


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Scenarios that once failed come first, then as many seeds as were asked for."""
    first, count = metafunc.config.getoption("--first-seed"), metafunc.config.getoption("--seeds")
    cases: list[Path | int] = [*kept_scenarios(), *range(first, first + count)]
    metafunc.parametrize("case", cases, ids=lambda case: case.stem if isinstance(case, Path) else str(case))


def test_seeds(case: Path | int, pytestconfig: pytest.Config) -> None:
    is_kept = isinstance(case, Path)
    played = play(pytestconfig.getoption("--evidence"), case)
    complaint = played.complaint
    if played.status == 1 and not is_kept:
        played.keep()
    played.tidy(pytestconfig.getoption("--verdicts"))
    if complaint:
        pytest.fail(complaint, pytrace=False)
