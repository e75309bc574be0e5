"""The bytes of a manifest: as they lie there, or unpacked where they are gzip, within limits."""

import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO

from imagemill.domain.errors import InvalidInput

GZIP = b"\x1f\x8b"
MOST_UNPACKED = 5 * 1024**3
"""Bytes: as much as may be uploaded as it is."""
STEEPEST_RATIO = 200
"""A table seldom shrinks to a twentieth; what unpacks to more than this many times its size is a bomb."""
FREE_BYTES = 64 * 1024**2
"""So much may be unpacked whatever the ratio is."""


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where it is gzip.

    Raises:
        InvalidInput: while reading: the gzip is damaged or unpacks to too much.
    """
    source = path.open("rb")
    if source.peek(2)[:2] != GZIP:
        return source
    return io.BufferedReader(_Unpacked(source), 1 << 16)


def unpack_head(head: bytes, most: int, *, whole: bool) -> tuple[bytes, bool]:
    """The first bytes of what a gzip's first bytes hold, and whether that is all of it.

    Args:
        head: the gzip's first bytes.
        most: so many are unpacked at most.
        whole: whether they are all of its bytes.

    Raises:
        InvalidInput: it is no sound gzip.
    """
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(head, most)
    except zlib.error as error:
        raise _damaged(error) from None
    if whole and len(unpacked) < most and not unpacker.eof:
        raise _damaged(EOFError("its end is missing"))
    ended = unpacker.eof and not unpacker.unused_data  # else another part follows
    return unpacked, ended and len(unpacked) < most


class _Unpacked(io.RawIOBase):
    """Gzip as it is unpacked; refuses to become a bomb."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._stream = gzip.GzipFile(fileobj=source)
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # all it is given
        try:
            piece = self._stream.read(len(buffer))
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(error) from None
        buffer[: len(piece)] = piece
        self._given += len(piece)
        self._check()
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        self._source.close()
        super().close()

    def _check(self) -> None:
        if self._given > MOST_UNPACKED:
            raise InvalidInput(
                [("manifest", f"the gzip unpacks to more than {MOST_UNPACKED:,} bytes; split the file")]
            )
        if self._given > FREE_BYTES and self._given > STEEPEST_RATIO * self._source.tell():
            raise InvalidInput(
                [
                    (
                        "manifest",
                        f"the gzip unpacks to more than {STEEPEST_RATIO} times its size; "
                        "upload the file as it is, or split it",
                    )
                ]
            )


def _damaged(error: Exception) -> InvalidInput:
    return InvalidInput([("manifest", f"the gzip is cut off or damaged ({error})")])
