"""The processes of a stack, as the kernel knows them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def below(process: int) -> Iterator[int]:
    """A process' children, and theirs."""
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in _read(task).split():
            yield int(child)
            yield from below(int(child))


def name_of(process: int) -> str:
    """What a process is, by its command line; empty: it has ended."""
    words = _read(Path(f"/proc/{process}/cmdline")).split("\0")
    script = next((Path(word).stem for word in words if word.endswith(".py")), Path(words[0]).name)
    return words[words.index("-m") + 1] if "-m" in words else script


def peak_of(process: int) -> int:
    """The most memory that it has had resident, in MiB; 0: it has ended."""
    told = _read(Path(f"/proc/{process}/status")).splitlines()
    return next((int(line.split()[1]) for line in told if line.startswith("VmHWM")), 0) // 1024


def core_seconds(process: int) -> float:
    """Processor time so far, in seconds."""
    fields = _read(Path(f"/proc/{process}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""
