import os
from pathlib import Path

import pytest

from sandbox.stack import DataDirectoryBusy
from sandbox.stack.lock import DirectoryLock


def test_a_second_lock_is_refused_with_the_directory_and_the_holder(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path / "lock"), DirectoryLock(tmp_path / "lock")
    first.acquire()
    with pytest.raises(DataDirectoryBusy) as caught:
        second.acquire()
    assert str(tmp_path) in str(caught.value)
    assert str(os.getpid()) in str(caught.value)
    first.release()


def test_a_released_lock_can_be_taken(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path / "lock"), DirectoryLock(tmp_path / "lock")
    first.acquire()
    first.release()
    second.acquire()
    second.release()


def test_releasing_what_is_not_held_does_nothing(tmp_path: Path) -> None:
    DirectoryLock(tmp_path / "lock").release()


def test_the_refused_one_does_not_release_the_holders(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path / "lock"), DirectoryLock(tmp_path / "lock")
    first.acquire()
    for _ in range(2):
        with pytest.raises(DataDirectoryBusy):
            second.acquire()
        second.release()
    first.release()
