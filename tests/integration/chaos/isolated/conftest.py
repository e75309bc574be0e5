"""Tests that need a network and mounts of their own: `test_isolated` runs them there."""

import pytest

from tests.chaos.ground.powers import network_is_private


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if network_is_private() else True
