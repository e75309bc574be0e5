"""The files of a request as they came, before anything is known of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file. `param` is the parameter's name in errors, `mime_type` what the request says it is."""

    param: str
    mime_type: str
    file: BinaryIO
    size: int


@dataclass(slots=True)
class Attachments:
    """The input images in order, and what goes with the first of them."""

    images: list[Attachment] = field(default_factory=list)
    mask: Attachment | None = None
    markup: Attachment | None = None

    def __iter__(self) -> Iterator[Attachment]:
        yield from self.images
        yield from (file for file in (self.mask, self.markup) if file)

    def close(self) -> None:
        """Let go of the files, which may lie on a disk."""
        for attachment in self:
            attachment.file.close()
