"""The reference page names all that can be ordered."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.image_api.kinds import Kind
from sandbox.image_api.profiles import PROFILES
from sandbox.image_api.refusals import TRIGGERS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def named() -> set[str]:
    page = (ROOT / "docs" / "reference" / "sandbox.md").read_text(encoding="utf-8")
    return {word for code in re.findall(r"`([^`]+)`", page) for word in (code, code.split()[0])}


def test_kinds_profiles_and_trigger_words(named: set[str]) -> None:
    assert not {*Kind, *PROFILES, *TRIGGERS} - named


def test_options(named: set[str]) -> None:
    command = [sys.executable, "-m", "sandbox.image_api", "--help"]
    usage = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"^  (--[a-z-]+)", usage, re.MULTILINE))
    plain = {"--host", "--port", "--api-key", "--ledger", "--drawers", "--ready-file"}
    assert options > plain
    assert not options - plain - named
