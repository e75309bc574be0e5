"""Where a running stack can be reached, for other terminals."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from sandbox.stack.private import read_object, write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """What `stack.json` in the data directory says; None is for parts that do not run.

    Attributes:
        pid: the supervisor's process.
        url: the HTTP API.
        api_key: the key it takes.
        admin_key: the key it takes from an operator who sets caps.
        temporal: the engine, `host:port`.
        ui: the engine's web interface.
        store: the S3 endpoint.
        image_api: the image API's base URL.
    """

    pid: int
    url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    admin_key: str | None = field(default=None, repr=False)
    temporal: str | None = None
    ui: str | None = None
    store: str | None = None
    image_api: str | None = None

    def write(self, path: Path) -> None:
        """Writes the file, for its owner's eyes only."""
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What the file says, or None if no stack runs: a killed one leaves its file behind."""
        content = read_object(path)
        if content is None or not _alive(content.get("pid")):
            return None
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in content.items() if name in known})  # type: ignore[arg-type]


def _alive(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
