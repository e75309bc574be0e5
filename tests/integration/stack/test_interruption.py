"""The end of the whole, from outside."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from sandbox.stack import Addresses
from sandbox.stack.store import GRPC_OFFSET, SERVICES, SOCKETS
from tests.integration.stack.helpers import Watch, children, python

PROGRAM = """
import pathlib, sys
import typer
from sandbox.stack import services
services.ROOT = pathlib.Path(sys.argv.pop(1))
from cli.dev import dev
typer.run(dev)
"""


def start(programs: Path, data_dir: Path) -> "subprocess.Popen[str]":
    return python(PROGRAM, str(programs), "--data-dir", str(data_dir), "--workers", "2")


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    """Reads the output until a text appears, or to its end."""
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if text in line:
            break
    return read


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_within_seconds(
    programs: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with start(programs, tmp_path) as process:
        shown = read_until(process, "Ctrl-C stops everything.")
        parts = children(process.pid)
        assert len(parts) == 6
        watch = Watch(parts)
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert watch.all_ended(timeout=0)
    assert (process.returncode, errors) == (0, "")
    assert not (tmp_path / "stack.json").exists()
    for name in ("temporal", "store", "image-api", "worker-1", "worker-2", "api"):
        assert f"{name:<10}  ready" in shown
    assert re.search(r"^  Dashboard +http://127\.0\.0\.1:\d+/$", shown, re.MULTILINE)
    assert f"{tmp_path / 'api-key'}; the dashboard asks for it" in shown
    assert "\x1b" not in shown


def test_a_second_signal_waits_for_nobody(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", "stubborn")
    with start(programs, tmp_path) as process:
        read_until(process, "Ctrl-C stops everything.")
        watch = Watch(children(process.pid))
        process.send_signal(signal.SIGINT)
        read_until(process, "api         stopped")
        process.send_signal(signal.SIGINT)
        # Less than the grace that the workers would have had.
        process.communicate(timeout=4)
    assert watch.all_ended(timeout=0)
    assert process.returncode == 0


def test_no_orphan_survives_a_killed_supervisor(programs: Path, tmp_path: Path) -> None:
    with start(programs, tmp_path) as process:
        read_until(process, "Ctrl-C stops everything.")
        addresses = json.loads((tmp_path / "stack.json").read_text())
        assert addresses["pid"] == process.pid
        watch = Watch(children(process.pid))
        process.kill()
        process.communicate(timeout=10)
        assert watch.all_ended(timeout=5)
    assert Addresses.read(tmp_path / "stack.json") is None
    remove_socket_files(json.loads((tmp_path / "ports.json").read_text()))


def remove_socket_files(ports: dict[str, int]) -> None:
    """What a killed supervisor could not do, and the next start in the same directory would."""
    for port in (*ports.values(), ports["store.admin"] + GRPC_OFFSET):
        for service in SERVICES:
            (SOCKETS / f"seaweedfs-{service}-grpc-{port}.sock").unlink(missing_ok=True)


def test_a_part_that_dies_ends_the_command_with_an_error(programs: Path, tmp_path: Path) -> None:
    with start(programs, tmp_path) as process:
        read_until(process, "Ctrl-C stops everything.")
        worker = next(pid for pid in children(process.pid) if is_worker(pid))
        subprocess.run(["kill", "-SEGV", str(worker)], check=True)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "Error: worker-1 was ended by SIGSEGV. The end of" in errors


def is_worker(pid: int) -> bool:
    return "worker-1.ready" in (Path("/proc") / str(pid) / "cmdline").read_text()
