"""Everything that can break, by chance: each seed is a run of its own, judged by what it left behind."""

from pathlib import Path

import pytest

from tests.chaos.playing import Played, kept_scenarios, play


def judge(played: Played, config: pytest.Config, *, keep: bool) -> None:
    """Fail with what is wrong, and keep the scenario."""
    complaint = played.complaint
    if complaint and keep:
        played.keep()
    played.tidy(config.getoption("--verdicts"))
    if complaint:
        pytest.fail(complaint, pytrace=False)


@pytest.mark.parametrize("scenario", kept_scenarios(), ids=lambda path: path.stem)
def test_kept_scenarios(scenario: Path, pytestconfig: pytest.Config) -> None:
    judge(play(pytestconfig.getoption("--evidence"), scenario=scenario), pytestconfig, keep=False)


def test_seeds(seed: int, pytestconfig: pytest.Config) -> None:
    judge(play(pytestconfig.getoption("--evidence"), seed=seed), pytestconfig, keep=True)
