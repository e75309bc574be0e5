"""What this machine allows of the ground's faults, found out and said in words."""

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from typing import Self

NEEDED = ("nft", "setpriv")
PROBE = "table inet probe { chain c { type filter hook output priority 0; meta skgid 1 ct mark set 1; }; }"


@dataclass(frozen=True, slots=True)
class Powers:
    """What can be done here; what can't, with the reason.

    Attributes:
        network: why rules of the kernel can't be made for single parts; None where they can. Without them,
            network faults are made by proxies.
        disks: why no file system can be mounted; None where one can. Without it there are no full disks.
        clocks: why no clock can be stepped; None where it can.
    """

    network: str | None
    disks: str | None
    clocks: str | None

    @classmethod
    def here(cls) -> Self:
        """Those of this process. Leaves nothing behind."""
        return cls(network=_network(), disks=_disks(), clocks=_clocks())

    def in_words(self) -> dict[str, str]:
        """For people who read a run's evidence."""
        return {
            "network": f"by proxies: {self.network}"
            if self.network
            else "by rules of the kernel, and proxies",
            "disks": f"none fill up: {self.disks}" if self.disks else "file systems of their own",
            "clocks": f"none are stepped: {self.clocks}" if self.clocks else "stepped one process at a time",
        }


def network_is_private() -> bool:
    """Whether no packet can leave: there is nothing but the loopback device."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


def _network() -> str | None:
    if not network_is_private():
        return "this network is shared with others"
    if missing := [each for each in NEEDED if shutil.which(each) is None]:
        return f"{' and '.join(missing)} not installed"
    if not _runs("setpriv", "--regid", "60001", "--clear-groups", "true"):
        return "a process can't be given a group of its own"
    if not _runs("nft", "--check", "--file", "-", told=PROBE):
        return "nftables can't tell connections apart by their group"
    return None


def _disks() -> str | None:
    # A network of our own comes with mounts of our own, by `isolation`.
    if not network_is_private():
        return "mounts are shared with others"
    return None if os.geteuid() == 0 else "only root may mount"


def _clocks() -> str | None:
    return None if shutil.which("cc") else "there is no C compiler"


def _runs(*command: str, told: str = "") -> bool:
    return subprocess.run(command, input=told, text=True, capture_output=True, check=False).returncode == 0
