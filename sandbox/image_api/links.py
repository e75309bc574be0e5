"""Images that are fetched by address, for a while."""

import secrets
from collections import OrderedDict

KEPT = 256


class Links:
    """The last few images that were answered as addresses, by token."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._images: OrderedDict[str, tuple[bytes, str]] = OrderedDict()

    def publish(self, image: bytes, mime_type: str) -> str:
        """Keep an image and give its address; the oldest one is forgotten."""
        token = secrets.token_urlsafe(16)
        self._images[token] = image, mime_type
        while len(self._images) > KEPT:
            self._images.popitem(last=False)
        return f"{self._base_url}/images/{token}"

    def find(self, token: str) -> tuple[bytes, str] | None:
        """The bytes and the MIME type behind an address."""
        return self._images.get(token)
