"""The checker objects to each planted defect, every time, and to nothing where there is none."""

import json
from pathlib import Path

import pytest

from tests.chaos.planted import objections, provoked
from tests.chaos.playing import play
from tests.chaos.programs.defects import DEFECTS


def scenario(folder: Path, name: str, *, planted: bool) -> Path:
    path = folder / f"{'planted' if planted else 'honest'}-{name}.json"
    path.write_text(json.dumps(provoked([name], planted=planted).as_json()))
    return path


@pytest.mark.parametrize("name", sorted(DEFECTS))
def test_a_planted_defect_is_objected_to(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    played = play(pytestconfig.getoption("--evidence"), scenario(tmp_path, name, planted=True))
    assert played.status == 1, played.complaint
    assert objections(played.folder, name), played.complaint


@pytest.mark.parametrize("name", sorted(DEFECTS))
def test_the_same_without_the_defect_is_not(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    played = play(pytestconfig.getoption("--evidence"), scenario(tmp_path, name, planted=False))
    assert played.complaint is None, played.complaint
