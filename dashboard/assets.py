"""Styles, scripts and icons: all in one folder, at an address that changes with any of them.

So a browser keeps them for good, and what one of them imports by a relative address is of the same version.
"""

import hashlib
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from api.problems import NOT_FOUND, Problem

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FILES = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}
VERSION = hashlib.sha256(b"".join(name.encode() + data for name, data in FILES.items())).hexdigest()[:12]
FOR_GOOD = "public, max-age=31536000, immutable"

router = APIRouter()


@router.get("/static/{version}/{name}")
async def asset(version: str, name: str) -> Response:
    """One file. Of another version there is none here: what is kept for good must be what it says."""
    if name not in FILES or version != VERSION:
        raise Problem(NOT_FOUND, f"there is no file {name} of this version; load the page again")
    headers = {"Cache-Control": FOR_GOOD}
    if name.endswith(".svg"):
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return Response(FILES[name], media_type=TYPES[name[name.rindex(".") :]], headers=headers)
