"""A file out of a form, as the form comes in: no more than a piece of it is ever held."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from api.limits import FORM_BYTES
from api.problems import MALFORMED, Problem

FIELD = b"file"
MOST_FIELDS = 50
MISSING = "is missing: send the file in a form field of that name, as curl --form file=@catalog.csv does"
CUT_OFF = "the form ends before its last boundary"


@dataclass(slots=True)
class FormFile:
    """The field ``file`` of a form. Other fields are read over.

    ``open`` reads up to the file's first byte; then ``filename`` is known, and ``pieces`` gives the bytes.
    Both raise a Problem where the form is not one, or has no file, or more than one.
    """

    body: AsyncIterator[bytes]
    parser: MultipartParser
    filename: str = ""
    _found: int = 0
    _fields: int = 0
    _in_file: bool = False
    _ended: bool = False
    _other: int = 0
    _header: bytes = b""
    _value: bytes = b""
    _disposition: bytes = b""
    _pieces: list[bytes] = field(default_factory=list)

    @classmethod
    async def open(cls, body: AsyncIterator[bytes], content_type: str) -> "FormFile":
        """Read as far as the beginning of the file."""
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise _broken("the Content-Type names no boundary")
        try:
            opened = cls(body, MultipartParser(boundary))
        except FormParserError as error:
            raise _broken(str(error)) from None
        opened.parser.callbacks = {
            "on_part_begin": opened._begin,
            "on_header_field": opened._on_name,
            "on_header_value": opened._on_value,
            "on_header_end": opened._on_header,
            "on_headers_finished": opened._on_headers,
            "on_part_data": opened._on_data,
            "on_end": opened._on_end,
        }
        while not opened._found and await opened._more():
            pass
        if not opened._found:
            raise Problem(MALFORMED, f"the field 'file' {MISSING}", [("/file", MISSING)])
        return opened

    async def pieces(self) -> AsyncIterator[bytes]:
        """The file's bytes, as they come."""
        going = True
        while going:
            ready, self._pieces = self._pieces, []
            for piece in ready:
                yield piece
            going = bool(ready) or await self._more()

    async def _more(self) -> bool:
        """Read one chunk of the form. False: it has ended."""
        try:
            chunk = await anext(self.body)
        except StopAsyncIteration:
            if not self._ended:
                raise _broken(CUT_OFF) from None
            return False
        try:
            self.parser.write(chunk)
        except FormParserError:
            raise _broken(f"it does not follow its boundary, {self.parser.boundary[4:]!r}") from None
        return True

    def _begin(self) -> None:
        self._fields += 1
        if self._fields > MOST_FIELDS + 1:
            raise _broken(f"it has more than {MOST_FIELDS} fields besides the file")
        self._disposition = self._header = self._value = b""

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._in_file = options.get(b"name") == FIELD
        if not self._in_file:
            return
        if self._found:
            raise Problem(MALFORMED, "the form has two files; send one at a time", [("/file", "comes twice")])
        if not options.get(b"filename"):
            what = "has no file name; is it text instead of a file?"
            raise Problem(MALFORMED, f"the field 'file' {what}", [("/file", what)])
        self._found += 1
        self.filename = _text(options[b"filename"])

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pieces.append(data[start:end])
            return
        self._other += end - start
        if self._other > FORM_BYTES:
            raise _broken(f"its fields other than 'file' have more than {FORM_BYTES:,} bytes")

    def _on_end(self) -> None:
        self._ended = True


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise _broken("the file's name is not UTF-8") from None


def _broken(what: str) -> Problem:
    return Problem(MALFORMED, f"the form can't be read: {what}", [("/", what)])
