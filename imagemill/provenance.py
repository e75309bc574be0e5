"""Does an image carry a provenance manifest (C2PA)? Found by walking its container; nothing is decoded.

C2PA 2.x, "Embedding manifests": a manifest store is a JUMBF box, in PNG in a chunk ``caBX``, in JPEG in
segments APP11, in WebP in a RIFF chunk ``C2PA``. That there is one says nothing of whether it is valid.
"""

from collections.abc import Iterator

_STORE = bytes.fromhex("6332706100110010800000aa00389b71")
"""The type of a JUMBF box that holds a manifest store."""
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_PARTS = 65_536
"""A container of more parts is not walked to its end."""
_BARE_MARKERS = frozenset((0x01, *range(0xD0, 0xD8)))


def has_manifest(data: bytes) -> bool:
    """Is a manifest store embedded in these bytes of a PNG, JPEG or WebP? False for anything else."""
    for found, _ in zip(_candidates(data), range(_MOST_PARTS), strict=False):
        if found is not None and _is_store(data, found):
            return True
    return False


def _candidates(data: bytes) -> Iterator[int | None]:
    """For each part of the container, where in it a JUMBF box could begin."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    return iter(())


def _png(data: bytes) -> Iterator[int | None]:
    at = len(_PNG)
    while at + 12 <= len(data):
        kind = data[at + 4 : at + 8]
        yield at + 8 if kind == b"caBX" else None
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _jpeg(data: bytes) -> Iterator[int | None]:
    """Up to the start of the scan; a box over several segments begins in the first of them."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _BARE_MARKERS:
            at += 1 if marker == 0xFF else 2
            yield None
            continue
        if marker in (0xD9, 0xDA):
            return
        begins = marker == 0xEB and data[at + 4 : at + 6] == b"JP" and data[at + 8 : at + 12] == b"\0\0\0\x01"
        yield at + 12 if begins else None
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))


def _webp(data: bytes) -> Iterator[int | None]:
    at = 12
    while at + 8 <= len(data):
        yield at + 8 if data[at : at + 4] == b"C2PA" else None
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2


def _is_store(data: bytes, at: int) -> bool:
    """A box ``jumb`` whose description box ``jumd`` says that it is a manifest store?"""
    kind, description = data[at + 4 : at + 8], data[at + 12 : at + 16]
    return kind == b"jumb" and description == b"jumd" and data[at + 16 : at + 32] == _STORE
