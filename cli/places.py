"""Where a downloaded image goes: below the chosen folder, whatever its key says."""

import hashlib
import unicodedata
from pathlib import Path, PurePosixPath

from cli.errors import CliError

RESULTS = "results.jsonl"


class UnsafeKey(CliError):
    """A key that can't be the name of a file below a folder."""


def name_within(job: str, key: str) -> PurePosixPath:
    """The part of an image's key that follows the job's id.

    Raises:
        UnsafeKey: the key is not of this job, or would lead elsewhere.
    """
    _, found, name = f"/{key}".partition(f"/{job}/")
    if not found:
        raise UnsafeKey(f"the key {key!r} is not of this job")
    if not all(map(is_plain, name.split("/"))):
        raise UnsafeKey(f"the key {key!r} is no safe name for a file")
    if name == RESULTS:
        raise UnsafeKey(f"the key {key!r} is the name of the list of results")
    return PurePosixPath(name)


def place_below(folder: Path, name: PurePosixPath) -> Path:
    """The path of a file below a folder, following links that are there already.

    Raises:
        UnsafeKey: a link inside the folder leads out of it.
    """
    place = folder / name
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise UnsafeKey(f"{place.parent} leads out of {folder}")
    return place


def holds(place: Path, sha256: str) -> bool:
    """Whether the file is there, and is what it should be."""
    try:
        with place.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def is_plain(segment: str) -> bool:
    """Can it be the name of a file or folder, and of nothing above?"""
    odd = any(unicodedata.category(character) == "Cc" for character in segment)
    return segment not in ("", ".", "..") and "\\" not in segment and not odd
