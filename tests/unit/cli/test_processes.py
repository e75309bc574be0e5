import os
import sys

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.processes import ROOT


@pytest.mark.parametrize(
    ("typed", "arguments"),
    [
        (["worker"], [str(ROOT / "worker.py"), "--role", "all"]),
        (["worker", "--role", "images"], [str(ROOT / "worker.py"), "--role", "images"]),
        (["api", "--port", "9000"], ["-m", "api", "--host", "127.0.0.1", "--port", "9000"]),
    ],
)
def test_the_process_becomes_the_program(
    typed: list[str], arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *given: became.append(given))
    CliRunner().invoke(app, typed, env={"PYTHONPATH": "elsewhere"})
    [(program, words, environment)] = became
    assert (program, words) == (sys.executable, [sys.executable, "-P", *arguments])
    assert environment["PYTHONPATH"] == f"{ROOT}{os.pathsep}elsewhere"


def test_usage() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["worker", "--role", "cook"]).exit_code == 2
    assert runner.invoke(app, ["api", "--port", "0"]).exit_code == 2
    shown = runner.invoke(app, ["--help"]).output
    for command in (
        *("submit", "status", "watch", "results", "pause", "resume", "cancel"),
        *("budget", "report", "usage", "caps"),
        *("dev", "worker", "api", "demo", "keys"),
    ):
        assert f" {command} " in shown
