"""The wall clocks of single processes, stepped while they run.

A small library in C (`stepped_clock.c`) is loaded before the C library of a process and of what it starts,
and adds a number to every answer of the wall clock. What is stepped: `time.time`, `datetime.now`, the
signatures of boto3, time stamps of logs, and the SDK's core in Rust, which asks the C library too.

What is not: the monotonic clock, sleeps and timers, as on a host whose clock an operator sets; the engine's
own clock, and so all of its timers; the time stamps of files. A program that asks the kernel without the C
library, as those in Go do, could not be stepped at all: hence the worker and the API alone.

libfaketime is not used: without faking the monotonic clock, its `clock_nanosleep` fails in Python 3.11's
`time.sleep`; faking it too moves every timer of the process.
"""

import mmap
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_name("stepped_clock.c")
NANO = 10**9


class Clock:
    """The wall clock of one part."""

    def __init__(self, library: Path, file: Path) -> None:
        self._library = library
        self._file = file
        self.step = 0.0
        file.write_bytes(bytes(8))

    def environment(self) -> Mapping[str, str]:
        """What a process must be started with."""
        return {"LD_PRELOAD": str(self._library), "STEPPED_CLOCK": str(self._file)}

    def set(self, seconds: float) -> None:
        """From now on the part's clock is so far ahead of the machine's; behind it, below zero."""
        self.step = seconds
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as mapped:
            mapped[:8] = struct.pack("q", round(seconds * NANO))


def build(folder: Path) -> Path:
    """Compiles the library into the folder.

    Raises:
        subprocess.CalledProcessError: the compiler could not.
    """
    library = folder / "stepped_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
    return library
