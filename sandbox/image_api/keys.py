"""The API key that calls must carry."""

import secrets

from starlette.requests import Request

from sandbox.image_api import errors
from sandbox.image_api.profiles import OPENAI, Profile


class Keys:
    """Accepts one key: as a bearer key, or in the header that the profile names."""

    def __init__(self, key: str, profile: Profile = OPENAI) -> None:
        self._key = key
        self._profile = profile

    def check(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            ApiError: 401, the key is missing or another; 404, the URL lacks its version.
        """
        if not secrets.compare_digest(self._given(request).encode(), self._key.encode()):
            is_bearer = self._profile.key_header == "authorization"
            raise errors.invalid_api_key() if is_bearer else errors.wrong_azure_key()
        if self._profile.api_version and not request.query_params.get("api-version"):
            raise errors.resource_not_found()

    def _given(self, request: Request) -> str:
        value = request.headers.get(self._profile.key_header, "")
        if self._profile.key_header != "authorization":
            return value
        scheme, _, key = value.partition(" ")
        return key if scheme.lower() == "bearer" else ""
