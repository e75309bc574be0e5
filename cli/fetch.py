"""One image into its place, in one step: a reader sees the whole file or none."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO

from cli.answers import Image
from cli.downloads import Downloads, Facts, Unchanged
from cli.errors import CliError


async def fetch(downloads: Downloads, image: Image, place: Path, url: str | None = None) -> None:
    """Downloads an image and puts it where it belongs, once its hash has proved right.

    Args:
        downloads: reads it.
        image: what it must be.
        place: where it belongs.
        url: another address of it; unset: the image's own.

    Raises:
        Expired: the address is good no more.
        CliError: it could not be had, or is not what was stored.
        OSError: the file can't be written.
    """
    digest, size = hashlib.sha256(), 0
    with scratch_for(place) as file:
        async with aclosing(downloads.read(url or image.url)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > image.bytes:
                    raise CliError(f"it is larger than the {image.bytes} bytes that were stored")
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != image.sha256:
            raise CliError("it is not what was stored: its SHA-256 differs")


async def fetch_rendition(downloads: Downloads, url: str, place: Path) -> bool:
    """The same for a rendition, whose hash is the store's own; False: it is there already.

    Raises:
        CliError: it could not be had, or broke off.
        OSError: the file can't be written.
    """
    facts = Facts(have=await asyncio.to_thread(_md5, place))
    digest, size = _new_md5(), 0
    try:
        with scratch_for(place) as file:
            async with aclosing(downloads.read(url, facts)) as pieces:
                async for piece in pieces:
                    size += len(piece)
                    digest.update(piece)
                    file.write(piece)
            if facts.size is not None and size != facts.size:
                raise CliError(f"it has {size} bytes instead of {facts.size}")
            if facts.md5 is not None and digest.hexdigest() != facts.md5:
                raise CliError("it is not what was stored: its MD5 differs")
    except Unchanged:
        return False
    return True


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


def _new_md5() -> "hashlib._Hash":
    # Against a connection that breaks off, not against an attacker.
    return hashlib.md5(usedforsecurity=False)


def _md5(place: Path) -> str | None:
    try:
        with place.open("rb") as content:
            return hashlib.file_digest(content, _new_md5).hexdigest()
    except FileNotFoundError:
        return None
