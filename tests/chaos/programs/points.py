"""Chosen points at which a process kills or stops itself, told at run time through a file.

The driver arms one point of one process: what to do there, at which visit. The process reads the file
whenever it passes a point, counts its visits since it was armed, and when the time has come renames the
file and sends itself the signal. So a point fires once, though the process that is started next is told
by the same file; and the driver sees by the new name that it has fired.
"""

import json
import os
import secrets
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

Action = Literal["kill", "stop"]
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

WORKER_POINTS = (
    "plan-between-chunks",  # a chunk of the plan is stored, and the plan's index is not
    "plan-after-index",  # all of the plan is stored, and the engine has not heard of it
    "before-call",  # the age was checked, and nothing is sent
    "request-sent",  # the whole request has left, and no answer has come
    "after-call",  # the images are here, and nothing is stored
    "after-put",  # an image is stored, and nobody has heard of it
    "after-record",  # the record of a set of images is stored likewise
    "results-before-put",  # a chunk's items have all ended, and its results are not written
    "results-after-put",  # they are written, and nobody has heard of it
    "report-after-put",  # the receipt is written, and the status does not show the end
    "account-saved",  # a tenant's account is saved, and its workflow has not heard of it
    "event-written",  # a webhook's event is written down, and its delivery is not started
    "event-sent",  # it was delivered, and that is not written down
)
API_POINTS = (
    "api-after-request-put",  # the request is stored, and nobody can find it
    "api-after-idempotency-put",  # its key is recorded, and it is not started
    "api-before-answer",  # it is started, and nobody was told
)
POINTS = (*WORKER_POINTS, *API_POINTS)


def file_of(folder: Path, part: str) -> Path:
    """The file by which a part is told; it need not be there."""
    return folder / f"{part}.point.json"


def arm(folder: Path, part: str, point: str, visit: int = 1, action: Action = "kill") -> None:
    """Let a part kill or stop itself when it comes to a point for the n-th time from now; once.

    Whatever it was armed with before, and has not come to, is forgotten.
    """
    if point not in POINTS:
        raise ValueError(f"there is no point {point}; there are {', '.join(POINTS)}")
    file = file_of(folder, part)
    _fired(file).unlink(missing_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"id": secrets.token_hex(4), "point": point, "visit": visit, "action": action}))
    new.replace(file)


def disarm(folder: Path, part: str) -> None:
    """Let a part pass all points from now on."""
    file_of(folder, part).unlink(missing_ok=True)


def fired_at(folder: Path, part: str) -> float | None:
    """When the part came to the point that it was armed with last; None: it has not."""
    try:
        return _fired(file_of(folder, part)).stat().st_ctime
    except FileNotFoundError:
        return None


def reached(folder: Path, part: str) -> set[str]:
    """The points that processes of this part have passed so far, armed or not."""
    try:
        return set(_reached(file_of(folder, part)).read_text().split())
    except FileNotFoundError:
        return set()


class Points:
    """What a process knows of its points.

    Args:
        file: tells what to do, where it is there; None: there is none, and no point is of interest.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen: set[str] = set()
        self._visits: Counter[tuple[str, str]] = Counter()

    def visit(self, point: str) -> None:
        """The process has come to a point: it does what it was armed with, or goes on."""
        if self._file is None:
            return
        self._note(self._file, point)
        armed = _read(self._file)
        if not armed or armed["point"] != point:
            return
        known = (armed["id"], point)
        self._visits[known] += 1
        if self._visits[known] >= armed["visit"]:
            self._fire(self._file, armed["action"])

    def _note(self, file: Path, point: str) -> None:
        if point in self._seen:
            return
        self._seen.add(point)
        with _reached(file).open("a") as reached:
            reached.write(f"{point}\n")

    @staticmethod
    def _fire(file: Path, action: Action) -> None:
        # Another process of the same part may have been first, by a stop that was not ended yet.
        with suppress(FileNotFoundError):
            file.rename(_fired(file))
            os.kill(os.getpid(), SIGNALS[action])


def _read(file: Path) -> dict[str, Any] | None:
    try:
        armed: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return armed


def _fired(file: Path) -> Path:
    return file.with_suffix(".fired")


def _reached(file: Path) -> Path:
    return file.with_suffix(".reached")
