"""The API key that calls must carry."""

import secrets

from starlette.requests import Request

from sandbox.image_api import errors


class Keys:
    """Accepts one bearer key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def check(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            ApiError: 401, the key is missing or another.
        """
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(key.encode(), self._key.encode()):
            raise errors.invalid_api_key()
