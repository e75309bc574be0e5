"""What both programs are told besides what the service's own take, and what is done before those run."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from imagemill.domain import places
from tests.chaos.programs.points import Points

if TYPE_CHECKING:
    from tests.chaos.programs.defects import Part


def change(part: "Part") -> None:
    """Change the service in this process, as the command line says, before its own program runs."""
    arguments = _told()
    _set_chunk_items(arguments.chunk_items)
    # The service is imported only now: its modules take names from each other.
    from tests.chaos.programs import defects, marks  # noqa: PLC0415

    if arguments.defect:
        defects.plant(arguments.defect, part)
    mark = {"worker": marks.mark_worker, "api": marks.mark_api}[part]
    mark(Points(arguments.points))


def _told() -> argparse.Namespace:
    """Take our own words from the command line, and leave the rest to the service's program."""
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--defect", help="a defect to plant")
    parser.add_argument("--points", type=Path, help="a file that tells where to kill or stop itself")
    parser.add_argument("--chunk-items", type=int, help="so many items make a chunk; a job has many then")
    arguments, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    return arguments


def _set_chunk_items(items: int | None) -> None:
    """Make chunks smaller; before anything is imported that takes their size from its place."""
    if items:
        places.CHUNK_ITEMS = items
