"""Scenarios by chance: the same for the same seed, whole on paper, and never without an end."""

import random
from pathlib import Path

import pytest

from tests.chaos.scenario import Scenario
from tests.chaos.stories import tell
from tests.chaos.troubles import LENGTH, STORIES, choose

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scenario_can_be_told_again_and_read_again(seed: int, tmp_path: Path) -> None:
    scenario = tell(seed)
    assert tell(seed) == scenario
    path = tmp_path / "scenario.json"
    path.write_text(scenario.model_dump_json(by_alias=True))
    assert Scenario.read(path) == scenario


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_that_goes_wrong_is_over_in_the_end(seed: int) -> None:
    timeline = tell(seed).timeline
    assert timeline
    assert all(fault.at >= 0 and fault.at + fault.lasts <= LENGTH + 1 for fault in timeline)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_tenant_uses_a_key_twice_and_words_tell_tenants_apart(seed: int) -> None:
    scenario = tell(seed)
    keys = [(job.tenant, job.key) for job in scenario.jobs]
    assert len(set(keys)) == len(keys)
    for job in scenario.jobs:
        prompts = [item["prompt"] for item in job.body.get("items", [])] or [
            job.manifest.text if job.manifest else ""
        ]
        foreign = [tenant.word for tenant in scenario.tenants if tenant.id != job.tenant]
        for prompt in prompts:
            assert scenario.word in prompt
            assert scenario.tenant(job.tenant).word in prompt
            assert not any(word in prompt for word in foreign)


def test_stories_that_are_named_are_told() -> None:
    assert {fault.kind for fault in tell(1, ("cuts", "sink")).timeline} == {"cut", "sink"}


def test_every_story_is_told_some_day() -> None:
    chance = random.Random(1)
    assert {story for _ in range(300) for story in choose(chance, 2)} == STORIES.keys()
