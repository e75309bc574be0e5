"""What Celery needs: packages in an environment of their own, and Debian's ``redis-server``."""

import asyncio
import hashlib
import shutil
import sys
from pathlib import Path

from benchmarks.results import Skipped

HERE = Path(__file__).parent
LOCK = HERE / "requirements.txt"
FOLDER = HERE / ".venv"


def redis_server() -> str:
    """The program.

    Raises:
        Skipped: there is none.
    """
    found = shutil.which("redis-server")
    if found is None:
        raise Skipped("there is no redis-server on PATH (Debian: apt install redis-server)")
    return found


async def python() -> str:
    """The interpreter of the environment, which is built when its lock has changed.

    Raises:
        Skipped: the packages can't be had.
    """
    interpreter, mark = FOLDER / "bin" / "python", FOLDER / "ready"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != wanted:
        await _run(sys.executable, "-m", "venv", "--clear", str(FOLDER))
        pip = (str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        await _run(*pip, "--require-hashes", "--requirement", str(LOCK))
        mark.write_text(wanted)
    return str(interpreter)


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, told = await process.communicate()
    if process.returncode:
        last = told.decode(errors="replace").strip().splitlines()[-1:]
        raise Skipped(f"the packages for Celery can't be installed: {' '.join(last)}")
