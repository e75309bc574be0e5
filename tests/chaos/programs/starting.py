"""What both programs are told besides what the service's own take, and what is done before those run."""

import argparse
import sys
from pathlib import Path

from imagemill.domain import places
from tests.chaos.programs.points import Points


def told() -> argparse.Namespace:
    """Take our own words from the command line, and leave the rest to the service's program."""
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--defect", help="a defect to plant")
    parser.add_argument("--points", type=Path, help="a file that tells where to kill or stop itself")
    parser.add_argument("--chunk-items", type=int, help="so many items make a chunk; a job has many then")
    arguments, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    return arguments


def points_of(arguments: argparse.Namespace) -> Points:
    """The points of this process."""
    return Points(arguments.points)


def set_chunk_items(items: int | None) -> None:
    """Make chunks smaller; before anything is imported that takes their size from its place."""
    if items:
        places.CHUNK_ITEMS = items
