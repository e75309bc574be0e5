"""Which part listens where."""

import json
import secrets
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox.stack.errors import DataDirectoryBroken, PortBusy, StackError
from sandbox.stack.private import read_object, write_private

HOST = "127.0.0.1"
# Below the range from which the kernel takes the local ends of outgoing connections (32768 and up), so that
# no connection sits on a part's port while that part restarts.
CHOICE = range(20_000, 32_000)
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that still linger in TIME_WAIT are no obstacle, listeners are.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(part: str, ports: Mapping[str, int]) -> None:
    """Raises `PortBusy` for the first of a part's ports that is taken."""
    for label, port in ports.items():
        if not is_free(port):
            raise PortBusy(port, part, label)


class PortBook:
    """Hands out ports, and remembers them for the next start in the same data directory.

    Remembered, because addresses outlive a run: bookmarks, presigned URLs, a client's configuration.
    """

    def __init__(self, path: Path, given: Mapping[str, int]) -> None:
        self._path = path
        self._given = given
        self._remembered = _load(path)
        self._taken: dict[str, int] = {}
        self._used: set[int] = set()

    def take(self, part: str, label: str, *, twin: int = 0) -> int:
        """A port for one purpose.

        Args:
            part: who will listen.
            label: what for; unique in the stack. Given ports go by this name.
            twin: if not 0, the port this much higher must be free too.

        Raises:
            PortBusy: the port that was given for this is taken.
        """
        remembered = self._remembered.get(label)
        if label in self._given:
            port = self._insist(part, label)
        elif remembered is not None and self._suits(remembered, twin):
            port = remembered
        else:
            port = self._choose(part, label, twin)
        self._taken[label] = port
        self._used |= {port, port + twin}
        return port

    def save(self) -> None:
        """Remembers what was handed out, and what earlier runs with other parts used."""
        write_private(self._path, json.dumps(self._remembered | self._taken, indent=2) + "\n")

    def _insist(self, part: str, label: str) -> int:
        port = self._given[label]
        if not 1 <= port <= 65_535:
            raise StackError(f"Port {port} for {label} is none: ports go from 1 to 65535.")
        others = [other for other, taken in self._taken.items() if taken == port]
        if others:
            raise StackError(f"Port {port} was given for both {others[0]} and {label}; each needs its own.")
        require_free(part, {label: port})
        return port

    def _choose(self, part: str, label: str, twin: int) -> int:
        for _ in range(ATTEMPTS):
            port = secrets.choice(CHOICE) - twin
            if self._suits(port, twin):
                return port
        raise StackError(f"No free port for {part} ({label}) among {ATTEMPTS} tried in {CHOICE}.")

    def _suits(self, port: int, twin: int) -> bool:
        wanted = {port, port + twin}
        return wanted.isdisjoint(self._used | {*self._given.values()}) and all(map(is_free, wanted))


def _load(path: Path) -> dict[str, int]:
    content = read_object(path) or {}
    ports = {label: port for label, port in content.items() if isinstance(port, int)}
    if ports != content or not _all_ports(ports.values()):
        raise DataDirectoryBroken(path, "it should map names to port numbers")
    return ports


def _all_ports(numbers: Iterable[int]) -> bool:
    return all(1 <= number <= 65_535 for number in numbers)
