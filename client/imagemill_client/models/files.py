"""What is said of uploaded files."""

from datetime import datetime

from imagemill_client.models._base import Answer, Page


class File(Answer):
    """An uploaded file."""

    id: str
    bytes: int
    filename: str
    sha256: str | None
    created_at: datetime


class FilePage(Page):
    """A page of files, in the order in which they were uploaded."""

    data: tuple[File, ...]


class UploadPart(Answer):
    """A part that is there."""

    number: int
    bytes: int


class Upload(Answer):
    """A file that comes in parts."""

    id: str
    filename: str
    bytes: int | None
    part_bytes: int
    least_part_bytes: int
    created_at: datetime
    expires_at: datetime
    parts: tuple[UploadPart, ...]
    received_bytes: int
    file: File | None
