import os
from pathlib import Path

import pytest

from sandbox.stack import PARTS, Addresses, StackOptions
from sandbox.stack.errors import describe_exit


def test_what_was_written_is_read(tmp_path: Path) -> None:
    addresses = Addresses(pid=os.getpid(), url="http://127.0.0.1:8000", api_key="im_a_b")
    addresses.write(tmp_path / "stack.json")
    assert Addresses.read(tmp_path / "stack.json") == addresses
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600


def test_no_file_means_that_no_stack_runs(tmp_path: Path) -> None:
    assert Addresses.read(tmp_path / "stack.json") is None


def test_the_file_of_a_killed_stack_means_that_none_runs(tmp_path: Path) -> None:
    process = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(process, 0)
    Addresses(pid=process).write(tmp_path / "stack.json")
    assert Addresses.read(tmp_path / "stack.json") is None


def test_all_parts_run_by_default(tmp_path: Path) -> None:
    assert StackOptions(data_dir=tmp_path).parts == PARTS


def test_unknown_parts_and_ports_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown parts: postgres; known are temporal"):
        StackOptions(data_dir=tmp_path, parts={"postgres"})
    with pytest.raises(ValueError, match="unknown ports: grpc; known are temporal"):
        StackOptions(data_dir=tmp_path, ports={"grpc": 1})
    with pytest.raises(ValueError, match="workers is -1"):
        StackOptions(data_dir=tmp_path, workers=-1)


@pytest.mark.parametrize(
    ("returncode", "words"),
    [
        (0, "ended by itself with exit code 0"),
        (3, "ended by itself with exit code 3"),
        (-9, "was ended by SIGKILL"),
        (-77, "was ended by signal 77"),
    ],
)
def test_ends_are_told_in_words(returncode: int, words: str) -> None:
    assert describe_exit(returncode) == words
