"""One image into its place, in one step: a reader sees the whole file or none."""

import hashlib
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO

from cli.answers import Image
from cli.client import Downloads
from cli.errors import CliError


async def fetch(downloads: Downloads, image: Image, place: Path) -> None:
    """Downloads an image and puts it where it belongs, once its hash has proved right.

    Raises:
        CliError: it could not be had, or is not what was stored.
        OSError: the file can't be written.
    """
    digest, size = hashlib.sha256(), 0
    with scratch_for(place) as file:
        async with aclosing(downloads.read(image.url)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > image.bytes:
                    raise CliError(f"it is larger than the {image.bytes} bytes that were stored")
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != image.sha256:
            raise CliError("it is not what was stored: its SHA-256 differs")


@contextmanager
def scratch_for(place: Path) -> Iterator[BinaryIO]:
    """A file that takes a place when the block ends well, and is gone when it doesn't."""
    place.parent.mkdir(parents=True, exist_ok=True)
    # Named by a hash: the name itself may be as long as names can be.
    scratch = place.with_name(f".{hashlib.sha256(place.name.encode()).hexdigest()[:16]}.part")
    scratch.unlink(missing_ok=True)
    try:
        with scratch.open("xb") as file:  # nor through a link that lies there
            yield file
        scratch.replace(place)
    finally:
        scratch.unlink(missing_ok=True)
