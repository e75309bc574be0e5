"""Every point, and both ways to stand still there: the promises hold, whichever it is."""

import json
from pathlib import Path

import pytest

from tests.chaos.planted import Stage, webhook
from tests.chaos.playing import play
from tests.chaos.programs.points import POINTS, WORKER_POINTS, Action

WORKERS = ("worker-1", "worker-2")
LONG = 14.0
"""Seconds until who stopped goes on: others have long given it up."""


def scenario(folder: Path, point: str, action: Action) -> Path:
    """Jobs of single images and of sets, in several chunks; whoever comes to the point falls there."""
    stage = Stage()
    stage.chunk_items = 5
    stage.job("single", 12, body={"webhook": webhook()})
    stage.job("alone", 1, submitters=3)
    stage.job("sets", 6)
    for item in stage.jobs[-1].body["items"]:
        item["n"] = 2
    for part in WORKERS if point in WORKER_POINTS else ("api",):
        stage.fault("point", 0.0, LONG, target=part, point=point, action=action)
    path = folder / f"{action}-{point}.json"
    path.write_text(json.dumps(stage.scenario(f"{action} at {point}").as_json()))
    return path


@pytest.mark.parametrize("action", ["kill", "stop"])
@pytest.mark.parametrize("point", POINTS)
def test_no_promise_is_broken_at(
    point: str, action: Action, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    played = play(pytestconfig.getoption("--evidence"), scenario(tmp_path, point, action))
    assert played.complaint is None, played.complaint
    assert '"fired"' in (played.folder / "faults.jsonl").read_text(), "nobody came to the point"
    played.tidy(pytestconfig.getoption("--verdicts"))
