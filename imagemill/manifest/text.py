"""The text of a manifest: which encoding it is in, and where it is not."""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from imagemill.domain.errors import InvalidInput
from imagemill.domain.job import Encoding
from imagemill.manifest.source import GZIP, open_bytes

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the next one
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_TEXT = {
    b"PK\x03\x04": "a zip or spreadsheet file",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet file",
    GZIP: "gzip",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF",
}


def open_text(path: Path, encoding: Encoding) -> TextIO:
    """The file as text, with its line ends as they are; what is no text of its encoding raises while read."""
    source = open_bytes(path)
    return io.TextIOWrapper(_buffered(source), encoding=_codec(_peek(source), encoding), newline="")


def decode_head(head: bytes, encoding: Encoding) -> str:
    """The text of a file's first bytes, which may be cut in mid-character.

    Raises:
        InvalidInput: it is no text; says what it looks like, or which line is not.
    """
    for magic, name in _NO_TEXT.items():
        if head.startswith(magic):
            raise InvalidInput([("manifest", f"the file is not text but {name}")])
    codec = _codec(head, encoding)
    if b"\0" in head and codec not in ("utf-16", "utf-32"):
        raise InvalidInput([("manifest", "the file is not UTF-8 text (it holds zero bytes)")])
    try:
        return codecs.getincrementaldecoder(codec)().decode(head)
    except UnicodeDecodeError as error:
        raise _no_text(1 + _lines_before(error, codec), codec, encoding) from None


def where_it_ends(path: Path, encoding: Encoding) -> InvalidInput:
    """Which line of a file is not of its encoding; reads it once more."""
    with open_bytes(path) as source:
        codec = _codec(_peek(source), encoding)
        text = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(codec)(), translate=True)
        line = 1
        try:
            for piece in _pieces(source):
                line += text.decode(piece, final=not piece).count("\n")
        except UnicodeDecodeError as error:
            line += _lines_before(error, codec)
    return _no_text(line, codec, encoding)


def is_marked(head: bytes) -> bool:
    """Does it begin with a byte order mark?"""
    return any(head.startswith(mark) for mark, _ in _MARKS)


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(1 << 16):
        yield piece
    yield b""


def _codec(head: bytes, encoding: Encoding) -> str:
    """A byte order mark is never anything else, whatever was said."""
    marked = next((codec for mark, codec in _MARKS if head.startswith(mark)), None)
    return marked or ("utf-8" if encoding == "auto" else encoding)


def _no_text(line: int, codec: str, encoding: Encoding) -> InvalidInput:
    if encoding != "auto":
        return InvalidInput([(f"line {line}", f"is not {codec} text")])
    if not codec.startswith("utf-8"):
        return InvalidInput(
            [(f"line {line}", f"is not {codec.upper()} text, as the file's start says it is")]
        )
    return InvalidInput(
        [
            (
                f"line {line}",
                'is not UTF-8 text; save the file as UTF-8, or say "encoding": "windows-1252" if it is that',
            )
        ]
    )


def _lines_before(error: UnicodeDecodeError, codec: str) -> int:
    told = codec if error.encoding == "charmap" else error.encoding  # it knows the order of bytes
    text = error.object[: error.start].decode(told, "replace")
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _peek(source: BinaryIO) -> bytes:
    return _buffered(source).peek(4)[:4]


def _buffered(source: BinaryIO) -> io.BufferedReader:
    assert isinstance(source, io.BufferedReader)  # noqa: S101 - what open_bytes gives
    return source
