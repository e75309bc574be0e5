"""The JSON form of an edit: images as data URLs."""

import base64
import binascii
import io
import re
from typing import Any

from sandbox.image_api import errors
from sandbox.image_api.attachments import Attachment, Attachments

MOST_CHARACTERS = 20 * 1024 * 1024
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)


def take(body: object) -> tuple[dict[str, Any], Attachments]:
    """Part a JSON body into the parameters and the files that it spells out.

    Raises:
        ApiError: 400, naming the reference.
    """
    if not isinstance(body, dict):
        raise errors.malformed_json()
    rest = dict(body)
    images = rest.pop("images", None)
    if images is None:
        raise errors.missing("images")
    if not isinstance(images, list):
        raise errors.invalid_type("images", "an array")
    if not 1 <= len(images) <= 16:
        message = f"Invalid 'images': expected an array of 1 to 16, but got {len(images)}."
        raise errors.invalid_value("images", message)
    files = [_file(reference, f"images[{number}]") for number, reference in enumerate(images)]
    overlays = {
        name: _file(reference, name)
        for name in ("mask", "markup")
        if (reference := rest.pop(name, None)) is not None
    }
    return rest, Attachments(files, **overlays)


def _file(reference: object, param: str) -> Attachment:
    if not isinstance(reference, dict):
        raise errors.invalid_type(param, "an object")
    for name in reference:
        if name not in {"image_url", "file_id"}:
            raise errors.unknown_parameter(f"{param}.{name}")
    if len(reference) != 1:
        raise errors.invalid_value(
            param, f"Provide exactly one of '{param}.image_url' and '{param}.file_id'."
        )
    if "file_id" in reference:
        message = f"No such file: '{param}.file_id'. Files are not served here."
        raise errors.ApiError(400, message, code="file_not_found", param=f"{param}.file_id")
    return _read(reference["image_url"], f"{param}.image_url", param)


def _read(url: object, param: str, name: str) -> Attachment:
    if not isinstance(url, str):
        raise errors.invalid_type(param, "a string")
    if len(url) > MOST_CHARACTERS:
        raise errors.string_above_max_length(param, MOST_CHARACTERS, len(url))
    head = _DATA_URL.match(url)
    if head is None:
        message = f"Invalid '{param}': expected a base64-encoded data URL; others are not fetched here."
        raise errors.invalid_value(param, message)
    try:
        data = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise errors.invalid_value(param, f"Invalid '{param}': not base64.") from None
    return Attachment(name, head[1].lower(), io.BytesIO(data), len(data))
