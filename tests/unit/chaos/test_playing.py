"""What a test says of a run, and what is left of it."""

import json
from pathlib import Path

import pytest

from tests.chaos import playing
from tests.chaos.playing import Played
from tests.chaos.scenario import Scenario
from tests.chaos.stories import tell

VIOLATION = {"invariant": "I7", "what": "2 calls for one image", "where": "job job_1", "evidence": []}


def run_of(folder: Path, status: int | None, *violations: object) -> Played:
    made = folder / "seed-7-abc"
    made.mkdir()
    (made / "run.log").write_text("the store is on fire\n")
    (made / "scenario.json").write_text(json.dumps(tell(7).as_json() | {"secrets": ["im_1_very-secret"]}))
    if status in (0, 1):
        (made / "verdict.json").write_text(json.dumps({"violations": violations}))
    return Played(made, status)


def test_of_a_run_that_found_nothing_the_verdict_is_left(tmp_path: Path) -> None:
    played = run_of(tmp_path, 0)
    assert played.complaint is None
    played.tidy(tmp_path / "verdicts")
    assert not played.folder.exists()
    assert [path.name for path in (tmp_path / "verdicts").iterdir()] == ["seed-7-abc.json"]


def test_a_broken_promise_is_told_in_words_and_its_evidence_stays(tmp_path: Path) -> None:
    played = run_of(tmp_path, 1, VIOLATION)
    complaint = played.complaint or ""
    assert "I7 job job_1: 2 calls for one image" in complaint
    assert str(played.folder) in complaint
    played.tidy(tmp_path / "verdicts")
    assert (played.folder / "scenario.json").exists()
    assert len(list((tmp_path / "verdicts").iterdir())) == 1


@pytest.mark.parametrize("status", [2, -9, None])
def test_a_run_that_failed_itself_shows_its_log(tmp_path: Path, status: int | None) -> None:
    played = run_of(tmp_path, status)
    assert "the store is on fire" in (played.complaint or "")
    played.tidy(tmp_path / "verdicts")
    assert played.folder.exists()


def test_a_kept_scenario_can_be_played_again_and_has_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "KEPT", tmp_path / "kept")
    run_of(tmp_path, 1, VIOLATION).keep()
    (kept,) = playing.kept_scenarios()
    assert kept.name == "seed-7.json"
    assert "very-secret" not in kept.read_text()
    assert Scenario.read(kept) == tell(7)
