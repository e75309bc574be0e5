"""When one item's images answer another one: what two requests must have in common, and where that is kept.

A request is known by a hash of all that was sent, with the bytes of its input images in the place of
their addresses. How an item is called, where it stands and which account is paid are no part of it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

from imagemill.domain.item import EarlierItem, ItemResult
from imagemill.domain.renditions import Rendition
from imagemill.domain.request import ImageRequest

VERSION = "1"
"""Changed whenever the same request is hashed in another way, so that no old hash is taken for a new one."""


def request_hash(request: ImageRequest, contents: Mapping[str, str]) -> str:
    """The hash of a resolved request; ``contents`` has the SHA-256 of each input image, by its reference.

    The end user is a part of it: an image that was made for one person does not answer another one.
    """
    said = request.model_dump(mode="json", exclude_none=True)
    said["images"] = [contents[reference] for reference in request.images]
    for place in ("mask", "markup"):
        if place in said:
            said[place] = contents[said[place]]
    canonical = json.dumps([VERSION, said], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def answers_whole(request: ImageRequest, result: ItemResult) -> bool:
    """Did an item get all that it asked for? With fewer images, or another format, it stands alone."""
    whole = result.state == "succeeded" and len(result.images) == request.n and not result.reused_from
    return whole and all(image.format == request.output_format for image in result.images)


def index_lines(job: str, bought: Iterable[tuple[str, ItemResult, list[Rendition]]]) -> bytes:
    """What items with these hashes brought, a line each: the hash, a tab, and an ``EarlierItem``."""
    lines = []
    for digest, result, made in bought:
        item = EarlierItem(
            job=job, custom_id=result.custom_id, variant=result.variant, images=result.images, made=made
        )
        lines.append(f"{digest}\t{item.model_dump_json(exclude_none=True)}\n")
    return "".join(lines).encode()
