"""What the fake answers about files, and at signed addresses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from imagemill_client.testing._answers import time
from imagemill_client.testing._http import ApiProblem, Asked, Told, invalid, missing, page, told
from imagemill_client.testing._world import Json

if TYPE_CHECKING:
    from imagemill_client.testing._fake import FakeImagemill

FILES = r"/v1/files"
FILE = rf"{FILES}/(?P<file>[^/]+)"
UPLOADS = r"/v1/uploads"
UPLOAD = rf"{UPLOADS}/(?P<upload>[^/]+)"
PART_BYTES = 16 * 1024 * 1024
URL_SECONDS = 3600


@dataclass(slots=True)
class FakeUpload:
    """A file that comes in parts."""

    id: str
    filename: str
    parts: dict[int, bytes] = field(default_factory=dict)
    file: str | None = None


def signed_url(fake: FakeImagemill, key: str, seconds: float = URL_SECONDS) -> str:
    """An address that shows what is stored, for a while of the fake's time."""
    return f"http://images.fake/{quote(key)}?until={fake.clock() + seconds:.0f}"


def signed(fake: FakeImagemill, asked: Asked) -> Told:
    """GET of such an address, as a store answers it."""
    if "authorization" in asked.headers:
        return Told(400, b"a store takes no key of ours")
    if fake.clock() >= float(asked.query["until"]):
        return Told(403, b"<Error><Code>AccessDenied</Code></Error>")
    found = _stored(fake, unquote(asked.path).lstrip("/"))
    return Told(404, b"<Error><Code>NoSuchKey</Code></Error>") if found is None else Told(200, found)


def _stored(fake: FakeImagemill, key: str) -> bytes | None:
    if key in fake.files:
        return fake.files[key]
    for job in fake.jobs.values():
        for item in job.items if job.id in key else ():
            for n in range(1, item.n + 1):
                if item.state == "succeeded" and item.key(job.id, n) == key:
                    return item.picture(n)
    return None


def upload(fake: FakeImagemill, asked: Asked) -> Told:
    """POST /v1/files, with the bytes as they are."""
    if not asked.query.get("filename"):
        raise invalid([("/filename", "is missing")])
    return told(_answer(fake, _kept(fake, asked.query["filename"], asked.body)), 201)


def _kept(fake: FakeImagemill, filename: str, data: bytes) -> str:
    file = fake.new_id("file", len(fake.filenames))
    fake.files[file], fake.filenames[file] = data, filename
    return file


def _answer(fake: FakeImagemill, file: str) -> Json:
    data = fake.files[file]
    return {
        "id": file, "object": "file", "bytes": len(data), "filename": fake.filenames[file],
        "sha256": hashlib.sha256(data).hexdigest(), "created_at": time(fake.now),
    }  # fmt: skip


def listed(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/files."""
    return page(list(fake.files), asked, lambda file: file, lambda file: _answer(fake, file))


def get(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/files/{file}."""
    return told(_answer(fake, _file(fake, asked)))


def content(fake: FakeImagemill, asked: Asked) -> Told:
    """GET …/content."""
    return Told(302, headers={"location": signed_url(fake, _file(fake, asked), 300)})


def delete(fake: FakeImagemill, asked: Asked) -> Told:
    """DELETE /v1/files/{file}."""
    del fake.files[_file(fake, asked)]
    return Told(204)


def begin(fake: FakeImagemill, asked: Asked) -> Told:
    """POST /v1/uploads."""
    upload = FakeUpload(fake.new_id("upload", len(fake.uploads)), asked.json()["filename"])
    fake.uploads[upload.id] = upload
    return told(_told(fake, upload), 201)


def put_part(fake: FakeImagemill, asked: Asked) -> Told:
    """PUT …/parts/{number}."""
    upload, number = _upload(fake, asked), int(asked.names["number"])
    said = asked.headers.get("x-content-sha256")
    if said not in (None, hashlib.sha256(asked.body).hexdigest()):
        title = "The bytes are not those that were announced"
        raise ApiProblem("content-differs", 422, title, "the part is not what x-content-sha256 says")
    upload.parts[number] = asked.body
    return told({"number": number, "bytes": len(asked.body)})


def seen(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/uploads/{upload}."""
    return told(_told(fake, _upload(fake, asked)))


def complete(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/complete; called again, it answers with the same file."""
    upload, wanted = _upload(fake, asked), asked.json()
    if upload.file is None:
        data = b"".join(upload.parts[number] for number in sorted(upload.parts))
        if wanted.get("sha256") not in (None, hashlib.sha256(data).hexdigest()):
            title = "The bytes are not those that were announced"
            raise ApiProblem("content-differs", 422, title, "the whole has another SHA-256")
        upload.file = _kept(fake, upload.filename, data)
    return told(_answer(fake, upload.file))


def abort(fake: FakeImagemill, asked: Asked) -> Told:
    """DELETE /v1/uploads/{upload}."""
    del fake.uploads[_upload(fake, asked).id]
    return Told(204)


def _file(fake: FakeImagemill, asked: Asked) -> str:
    if asked.names["file"] not in fake.files:
        raise missing(f"file {asked.names['file']}")
    return asked.names["file"]


def _upload(fake: FakeImagemill, asked: Asked) -> FakeUpload:
    if asked.names["upload"] not in fake.uploads:
        raise missing(f"upload {asked.names['upload']}")
    return fake.uploads[asked.names["upload"]]


def _told(fake: FakeImagemill, upload: FakeUpload) -> Json:
    parts = [{"number": number, "bytes": len(data)} for number, data in sorted(upload.parts.items())]
    return {
        "id": upload.id, "object": "upload", "filename": upload.filename, "bytes": None,
        "part_bytes": PART_BYTES, "least_part_bytes": 5 * 1024 * 1024,
        "created_at": time(fake.now), "expires_at": time(fake.later(86_400)), "parts": parts,
        "received_bytes": sum(len(data) for data in upload.parts.values()),
        "file": _answer(fake, upload.file) if upload.file else None,
    }  # fmt: skip


ROUTES = (
    ("POST", FILES, upload),
    ("GET", FILES, listed),
    ("GET", FILE, get),
    ("GET", f"{FILE}/content", content),
    ("DELETE", FILE, delete),
    ("POST", UPLOADS, begin),
    ("GET", UPLOAD, seen),
    ("DELETE", UPLOAD, abort),
    ("PUT", rf"{UPLOAD}/parts/(?P<number>\d+)", put_part),
    ("POST", f"{UPLOAD}/complete", complete),
)
