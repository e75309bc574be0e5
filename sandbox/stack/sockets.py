"""What a process listens on, as the kernel tells it."""

import ipaddress
import re
import sys
from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"


def listening(pid: int) -> set[tuple[str, int]] | None:
    """The TCP addresses that a process listens on, or None on systems without `/proc`."""
    if not (PROC / "net" / "tcp").exists():
        return None
    inodes = _socket_inodes(pid)
    return {address for inode, address in _listeners().items() if inode in inodes}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return ipaddress.ip_address(host).is_loopback


def _socket_inodes(pid: int) -> set[str]:
    inodes = set()
    for descriptor in (PROC / str(pid) / "fd").glob("*"):
        try:
            target = str(descriptor.readlink())
        except OSError:  # closed since the listing
            continue
        if match := re.fullmatch(r"socket:\[(\d+)\]", target):
            inodes.add(match[1])
    return inodes


def _listeners() -> dict[str, tuple[str, int]]:
    found = {}
    for table in ("tcp", "tcp6"):
        path = PROC / "net" / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == LISTEN:
                found[fields[9]] = _address(fields[1])
    return found


def _address(text: str) -> tuple[str, int]:
    """Reads `0100007F:1F90`: the address as 32-bit words in the machine's byte order, then the port."""
    words, port = text.split(":")
    raw = b"".join(
        int(words[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(words), 8)
    )
    return str(ipaddress.ip_address(raw)), int(port, 16)
