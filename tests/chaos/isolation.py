"""A network and mounts of its own for a run, where the machine allows it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

INSIDE = "IMAGEMILL_CHAOS_INSIDE"
"""Set in the environment of a run that is in a network of its own already."""
UNSHARE = ("unshare", "--net", "--mount", "--propagation", "private")


def is_inside() -> bool:
    """Is this run in a network of its own?"""
    return os.environ.get(INSIDE) == "1"


def enter(module: str, arguments: Sequence[str]) -> None:
    """Become the same program in a network of its own; returns where that is not allowed."""
    if is_inside() or not _allowed():
        return
    os.environ[INSIDE] = "1"
    command = (*UNSHARE, sys.executable, "-m", module, *arguments)
    os.execvp(command[0], command)


def lift_loopback() -> None:
    """The loopback address of a new network is down."""
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)


def _allowed() -> bool:
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    tried = subprocess.run((*UNSHARE, "ip", "link", "set", "lo", "up"), capture_output=True, check=False)
    return tried.returncode == 0
