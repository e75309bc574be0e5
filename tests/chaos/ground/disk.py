"""Small file systems of their own under the store and under the engine, so that they can be full.

What they do when nothing can be written any more, as seen with the versions in the lock:

- **The store** (SeaweedFS) answers 500 to what needs a new page of the disk. A few hundred bytes may still
  fit into the last page of a file. It goes on reading, and does not die. Once there is room it takes objects
  again, unless its index could not be written meanwhile: the journal of each of the index's eight parts keeps
  its first error for good, and every name in that part is refused until the store is restarted. What it had
  acknowledged is there, but for objects of which its log says "treating the write as successful": those were
  in the index's memory only, and are lost when it starts again.
- **The engine** (Temporal on SQLite) refuses what does not fit, does not die, and goes on once there is room.
  What it had acknowledged is there.

Logs, the sandbox's ledger and everything else of a run are on the machine's own disk.
"""

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

STORE_BYTES = 256 * 1024 * 1024
ENGINE_BYTES = 128 * 1024 * 1024
BALLOON = "balloon"
PAGE = 4096
RESTARTED: Mapping[str, tuple[str, ...]] = {"store": ("store",), "engine": ()}
"""The parts that an operator has to restart after their disk was full."""


class Disk:
    """A file system in memory, on a folder."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self._size = size
        self._mounted = False

    def mount(self) -> None:
        """Puts it on its folder, which is made if it is missing.

        Raises:
            subprocess.CalledProcessError: the machine does not allow it after all.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = f"size={self._size},mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "ground", str(self.folder)], check=True)
        self._mounted = True

    def unmount(self) -> None:
        """Takes it away, with all that is on it. May be called again."""
        if self._mounted:
            # Lazily: a process that still has a file open there must not keep the mount.
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
            self._mounted = False

    @property
    def left(self) -> int:
        """Bytes that can still be written."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Blows up a balloon until there is no page left."""
        with (self.folder / BALLOON).open("ab") as balloon:
            size, step = balloon.tell(), max(self.left, PAGE)
            while step >= PAGE:
                try:
                    os.posix_fallocate(balloon.fileno(), size, step)
                    size += step
                except OSError:  # no space for all of it
                    step //= 2

    def free(self) -> None:
        """Lets the balloon go. May be called again."""
        with suppress(FileNotFoundError):
            (self.folder / BALLOON).unlink()
