"""`imagemill worker` and `imagemill api`: this process becomes the program."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

ROOT = Path(__file__).resolve().parents[1]
"""Where `worker.py` and the packages are."""


class Role(StrEnum):
    """What a worker does."""

    ALL = "all"
    WORKFLOWS = "workflows"
    IMAGES = "images"


def worker(role: Annotated[Role, typer.Option(help="Everything, or one part of it.")] = Role.ALL) -> None:
    """Runs a worker in the foreground; its settings come from the environment."""
    become(str(ROOT / "worker.py"), "--role", role.value)


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8000,
) -> None:
    """Serves the HTTP API in the foreground; its settings come from the environment."""
    become("-m", "api", "--host", host, "--port", str(port))


def become(*arguments: str) -> NoReturn:
    """Replaces this process by a Python program of the project, so that signals reach it directly.

    The current directory stays, for relative paths in settings; -P keeps a folder in it from being taken
    for one of our packages.
    """
    path = os.environ.get("PYTHONPATH")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT)}
    os.execve(sys.executable, [sys.executable, "-P", *arguments], environment)  # noqa: S606 - no shell is meant
