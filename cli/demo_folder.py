"""Where the demo's images go, and what of an earlier demo gives way."""

import json
from pathlib import Path, PurePosixPath

from cli.errors import CliError
from cli.places import RESULTS, place_below

NAME = "demo-output"
SHEET = "contact-sheet.png"
MARK = ".imagemill-demo"


def prepare(folder: Path) -> None:
    """Makes the folder; of an earlier demo's, removes what that one wrote, and nothing else.

    Raises:
        CliError: there is something that no demo made, or it can't be written to.
    """
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise CliError(f"{folder} is no folder; move it out of the demo's way.")
        folder.mkdir(exist_ok=True)
        if not (folder / MARK).exists() and any(folder.iterdir()):
            raise CliError(f"{folder} holds what no demo made; move it out of the way.")
        (folder / MARK).touch()
        _remove(folder)
    except OSError as error:
        raise CliError(f"{folder} can't be written to: {error.strerror}") from None


def _remove(folder: Path) -> None:
    for name in _files(folder):
        place = place_below(folder, PurePosixPath(name))
        place.unlink(missing_ok=True)
        if place.parent != folder and place.parent.is_dir() and not any(place.parent.iterdir()):
            place.parent.rmdir()
    for name in (SHEET, RESULTS):
        (folder / name).unlink(missing_ok=True)


def _files(folder: Path) -> list[str]:
    """The files that its list of results names; one that was interrupted has none, and is written over."""
    try:
        lines = (folder / RESULTS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    try:
        images = [image for line in lines for image in json.loads(line)["images"]]
        return [str(image["file"]) for image in images if image["file"]]
    except (ValueError, LookupError, TypeError):
        raise CliError(
            f"{folder / RESULTS} is not what a demo wrote; move {folder} out of the way."
        ) from None
