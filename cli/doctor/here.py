"""What can be looked at on this machine alone: Python, the disk, the local stack."""

import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cli.doctor.check import Check, bad, doubt, fine, unknown
from cli.service import STACK_FILE
from sandbox.stack import Addresses, StackError

LEAST_PYTHON = (3, 11)
GIB = 2**30
LITTLE = 2 * GIB
TOO_LITTLE = GIB // 4
SECONDS = 1.0


def look_here(start: Path) -> Iterator[Check]:
    """Everything of this machine, seen from a folder."""
    yield python(sys.version_info[:3])
    yield disk(start)
    yield from stack(start)


def python(version: tuple[int, ...]) -> Check:
    """Is Python new enough?"""
    said = ".".join(map(str, version))
    if version >= LEAST_PYTHON:
        return fine("Python", said)
    return bad("Python", said, "install Python 3.11 or newer, and Imagemill in it")


def disk(folder: Path, free: int | None = None) -> Check:
    """Is there room for images, and for what the local stack keeps?"""
    free = shutil.disk_usage(folder).free if free is None else free
    said = f"{free / GIB:,.1f} GiB free in {folder}"
    mend = "free some space, or download with --to into another file system"
    if free < TOO_LITTLE:
        return bad("disk", said, mend)
    return doubt("disk", said, mend) if free < LITTLE else fine("disk", said)


def stack(start: Path) -> Iterator[Check]:
    """The stack that `imagemill dev` runs in this folder or above, and what it listens on."""
    place = next(
        (path for path in (folder / STACK_FILE for folder in (start, *start.parents)) if path.exists()), None
    )
    if place is None:
        yield unknown("local stack", "none here; `imagemill dev` runs one")
        return
    try:
        found = Addresses.read(place)
    except (StackError, OSError) as error:
        yield bad("local stack", str(error), f"remove {place} and start `imagemill dev` again")
        return
    if found is None:
        yield doubt(
            "local stack", f"{place} is of one that runs no more", "start it again with `imagemill dev`"
        )
        return
    yield from _private(place)
    yield _ports(place, found)


def _private(place: Path) -> Iterator[Check]:
    """It has keys in it."""
    if place.stat().st_mode & 0o077:
        yield doubt("local stack", f"{place} can be read by others, and has keys in it", f"chmod 600 {place}")


def _ports(place: Path, found: Addresses) -> Check:
    parts = {
        "API": found.url,
        "engine": found.temporal,
        "store": found.store,
        "image API": found.image_api,
        "UI": found.ui,
    }
    silent = [f"{name} at {address}" for name, address in parts.items() if address and not _listens(address)]
    if silent:
        logs = place.parent / "logs"
        return bad(
            "local stack",
            f"nothing listens: {', '.join(silent)}",
            f"see the logs in {logs}, stop `imagemill dev` with Ctrl-C, and start it again",
        )
    return fine("local stack", f"process {found.pid}, all its ports answer")


def _listens(address: str) -> bool:
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=SECONDS):
            return True
    except (OSError, ValueError):
        return False
