"""The multipart form of an edit: images as files."""

from collections.abc import AsyncGenerator
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from sandbox.image_api import errors
from sandbox.image_api.attachments import Attachment, Attachments
from sandbox.image_api.inputs import IMAGE_BYTES, MASK_BYTES, MOST_IMAGES

MOST_FILES = MOST_IMAGES + 4
MOST_BYTES = MOST_IMAGES * IMAGE_BYTES + 2 * MASK_BYTES
INTEGERS = ("n", "output_compression", "partial_images")
BOOLEANS = {"true": True, "false": False}


async def take(request: Request) -> tuple[dict[str, Any], Attachments]:
    """Read a form into its parameters, typed as in JSON, and its files, which wait on disk if large.

    Raises:
        ApiError: 400, not a form, or a file where a text belongs or the other way round; 413, too large.
    """
    try:
        form = await MultiPartParser(
            request.headers, _bounded(request), max_files=MOST_FILES, max_fields=100
        ).parse()
    except (MultiPartException, FormParserError) as error:
        raise errors.malformed_form(str(error)) from None
    values: dict[str, Any] = {}
    files = Attachments()
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                _attach(files, name, value)
            else:
                values[name] = _typed(name, value)
    except errors.ApiError:
        await form.close()
        raise
    return values, files


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise errors.body_too_large()
        yield chunk


def _attach(files: Attachments, name: str, file: UploadFile) -> None:
    mime_type = (file.content_type or "application/octet-stream").partition(";")[0].strip().lower()
    param = f"image[{len(files.images)}]" if name == "image[]" else name
    attachment = Attachment(param, mime_type, file.file, file.size or 0)
    if name in {"image", "image[]"}:
        files.images.append(attachment)
    elif name == "mask":
        files.mask = attachment
    elif name == "markup":
        files.markup = attachment
    else:
        raise errors.unknown_parameter(name)


def _typed(name: str, value: str) -> Any:
    """What JSON would have for a text of the form."""
    if name in {"image", "image[]", "mask", "markup"}:
        raise errors.invalid_type(name, "a file")
    if name in INTEGERS and value.removeprefix("-").isdecimal() and len(value) < 20:
        return int(value)
    if name == "stream":
        return BOOLEANS.get(value.lower(), value)
    return value
