"""Processes are counted as they are, whatever they are doing just then."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.sampling import Sampler, sample

PARENT = """
import subprocess, sys
READ = "import sys; sys.stdin.read()"
children = [
    subprocess.Popen([sys.executable, "-m", "http.server", "--help"], stdin=0, stdout=subprocess.DEVNULL),
    *(subprocess.Popen([sys.executable, "-c", READ], stdin=subprocess.PIPE) for _ in range(2)),
]
children[0].wait()
kept = [open("/dev/null") for _ in range(20)]
print("ready", flush=True)
input()
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """One that holds twenty files and two children."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout
        assert started.stdout.readline() == "ready\n"
        yield started
        started.kill()


def test_a_part_and_its_children_are_told_apart(process: subprocess.Popen[str]) -> None:
    part, children = sample({"worker-1": process.pid}, now=3.0)

    assert part["part"] == "worker-1"
    assert part["time"] == 3.0
    assert part["pid"] == children["pid"] == process.pid
    assert part["fds"] >= 20
    assert part["rss_bytes"] > 1_000_000
    assert part["threads"] == 1
    assert children["part"] == f"worker-1/{Path(sys.executable).name}"
    assert children["processes"] == 2
    assert children["rss_bytes"] > part["rss_bytes"]


def test_what_has_ended_is_not_there(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()

    assert list(sample({"api": process.pid}, now=1.0)) == []


def test_a_process_that_nobody_has_waited_for_is_not_there() -> None:
    with subprocess.Popen([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE) as gone:
        assert gone.stdout
        gone.stdout.read()
        while gone.returncode is None and _state(gone.pid) != "Z":
            pass

        assert list(sample({"api": gone.pid}, now=1.0)) == []


def test_each_look_adds_lines(process: subprocess.Popen[str], tmp_path: Path) -> None:
    running = {"api": process.pid}
    sampler = Sampler(lambda: running, tmp_path / "processes.jsonl")

    sampler.look()
    running.clear()
    sampler.look()

    lines = [json.loads(line) for line in (tmp_path / "processes.jsonl").read_text().splitlines()]
    assert [line["part"] for line in lines] == ["api", f"api/{Path(sys.executable).name}"]


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
