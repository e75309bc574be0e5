"""One stack a data directory."""

import fcntl
import os
from pathlib import Path

from sandbox.stack.errors import DataDirectoryBusy


class DirectoryLock:
    """An exclusive lock on a data directory, which ends with its process at the latest.

    Temporal's server does not mind a second one on the same SQLite file; the data does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock, or raises `DataDirectoryBusy` with the holder's process id."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise DataDirectoryBusy(self._path.parent, _name(holder)) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        self._descriptor = descriptor

    def release(self) -> None:
        """Gives the lock back; does nothing if it isn't held.

        The file stays: whoever waited on a deleted one would hold a lock that nobody else sees.
        """
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def _name(holder: str) -> str:
    if holder == str(os.getpid()):
        return f"another stack of this process (pid {holder})"
    return f"the stack with pid {holder}" if holder else "another stack"
