"""The client stands alone: it imports nothing but what it says that it needs."""

import ast
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import imagemill_client
from imagemill_client._core.core import AGENT
from tests.pages import DOCS

CLIENT = DOCS.parent / "client"
SOURCES = sorted(CLIENT.glob("imagemill_client/**/*.py"))
PROJECT = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]


def imported(source: Path) -> set[str]:
    """The top-level names that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(CLIENT)))
def test_it_imports_nothing_of_the_service(source: Path) -> None:
    needed = {requirement.partition(">=")[0] for requirement in PROJECT["dependencies"]}

    assert needed == {"httpx2", "pydantic"}
    assert imported(source) <= sys.stdlib_module_names | needed | {"imagemill_client"}


@pytest.mark.parametrize(
    "source", sorted((CLIENT / "imagemill_client/_core").glob("*.py")), ids=lambda path: path.name
)
def test_the_core_does_no_input_or_output(source: Path) -> None:
    """But for the table of the transport's errors, and files, whose work the shells do."""
    forbidden = {"asyncio", "threading", "concurrent", "socket"} | (
        set() if source.name == "transport.py" else {"httpx2"}
    )
    assert not imported(source) & forbidden


def test_the_version_is_said_once() -> None:
    assert PROJECT["version"] == imagemill_client.__version__ == AGENT.partition("/")[2]


@pytest.mark.parametrize("requirement", PROJECT["dependencies"])
def test_what_it_needs_is_no_newer_than_what_it_is_tested_with(requirement: str) -> None:
    name, least = requirement.split(">=")
    assert tuple(map(int, least.split("."))) <= tuple(map(int, version(name).split(".")[:2]))


def test_it_is_typed_and_everything_that_is_public_is_there() -> None:
    assert (CLIENT / "imagemill_client" / "py.typed").exists()
    assert all(hasattr(imagemill_client, name) for name in imagemill_client.__all__)
