"""Long tests that kill things: collected only by `make chaos`."""

import random

import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if config.getoption("--chaos") else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that takes a seed runs with as many as were asked for; a run's first one is printed."""
    if "seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("--first-seed") or random.randrange(10**6)
        count = metafunc.config.getoption("--seeds")
        metafunc.parametrize("seed", range(first, first + count))
