"""Where a manifest comes from when it is not one uploaded file, and what was found there."""

from datetime import datetime

from pydantic import BaseModel


class ManifestSource(BaseModel):
    """Where to look for the manifest when the job is planned. One of the three is there."""

    newest: str | None = None
    """``s3://bucket/prefix``: the object below it that was changed last."""
    newest_file: str | None = None
    """The tenant's file that was uploaded last, of those whose name begins so."""
    url: str | None = None
    """An address; it may grant access by itself, and is shown to nobody as a whole."""


class FoundManifest(BaseModel):
    """The manifest that a source led to."""

    place: str
    """Where it was: an object, a file's id and name, or an address without its query."""
    bytes: int
    sha256: str
    modified_at: datetime | None = None
    """When it was changed last, as far as its place says."""
    etag: str | None = None
    """The place's own word for the bytes."""


class PinnedManifest(FoundManifest):
    """The manifest that a job was given for good: every try at its plan reads these bytes."""

    key: str
    """Where they lie (control)."""
