"""Files that only their owner may read."""

import json
import os
from pathlib import Path

from sandbox.stack.errors import DataDirectoryBroken


def write_private(path: Path, text: str) -> None:
    """Writes a file of mode 0600 in one step: a reader sees the old text or the new, never a part."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)


def read_object(path: Path) -> dict[str, object] | None:
    """The JSON object in a file, or None if there is no such file.

    Raises:
        DataDirectoryBroken: the file holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataDirectoryBroken(path, f"it is no JSON ({error})") from None
    if not isinstance(content, dict):
        raise DataDirectoryBroken(path, "it is no JSON object")
    return content
